/* SPDX-License-Identifier: MIT */
#include "refusals.h"

#include <stdlib.h>
#include <string.h>

#include "callbackd/ledger.h"
#include "callbackd/log.h"
#include "callbackd/text.h"

enum { PAGE = 256 };

/* Of a run: copied, for the ledger is written after the reading. */
struct refused {
    struct ledger_refusal refusal;
    char *endpoint;
    char *reason;
    bool told;
};

struct page {
    struct refused items[PAGE];
    size_t count; /* of runs */
    int seen;
    int64_t cursor;
};

static int collect(void *context, const struct rejected_post *post)
{
    struct page *page = context;
    page->seen++;
    page->cursor = post->seq;
    if (!post->has_run)
        return 0;
    struct refused *refused = &page->items[page->count++];
    *refused = (struct refused){
        .endpoint = text_copy(post->endpoint),
        .reason = text_format("a post for it was refused with %d: %s", post->status, post->reason),
    };
    refused->refusal = (struct ledger_refusal){
        .run = post->run,
        .endpoint = refused->endpoint,
        .reason = refused->reason,
        .received_at_ms = post->received_at_ms,
    };
    return refused->endpoint && refused->reason ? 0 : 1;
}

static int tell(struct state_tx *tx, void *context, struct error *error)
{
    struct page *page = context;
    for (size_t i = 0; i < page->count; i++)
        if (ledger_refused(tx, &page->items[i].refusal, &page->items[i].told, error) != 0)
            return -1;
    return state_rejected_cursor_set(tx, page->cursor, error);
}

static int log_told(const struct page *page)
{
    int told = 0;
    for (size_t i = 0; i < page->count; i++) {
        char run_id[ID_TEXT_BYTES];
        if (!page->items[i].told)
            continue;
        id_format(&page->items[i].refusal.run, run_id);
        log_warning(
            "run has no result to wait for", LOG_TEXT("run_id", run_id),
            LOG_TEXT("reason", page->items[i].reason));
        told++;
    }
    return told;
}

/* 1: there may be more. */
static int take_page(
    struct refusals *refusals, struct page *page, int *told_out, struct error *error)
{
    page->cursor = refusals->cursor;
    int outcome =
        result_log_rejected_after(refusals->log, refusals->cursor, PAGE, collect, page, error);
    if (outcome > 0)
        return error_set(error, ERROR_MEMORY, "no memory for refused posts");
    if (outcome < 0 || (page->count > 0 && state_write(refusals->state, tell, page, error) != 0))
        return -1;
    refusals->cursor = page->cursor;
    *told_out += log_told(page);
    return page->seen == PAGE;
}

static int read_cursor(struct state_tx *tx, void *context, struct error *error)
{
    return state_rejected_cursor_get(tx, context, error);
}

int refusals_take(struct refusals *refusals, int *told_out, struct error *error)
{
    int outcome = 1;
    *told_out = 0;
    if (!refusals->started) {
        if (state_read(refusals->state, read_cursor, &refusals->cursor, error) != 0)
            return -1;
        refusals->started = true;
    }
    while (outcome == 1) {
        struct page *page = calloc(1, sizeof(*page));
        if (page == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for refused posts");
        outcome = take_page(refusals, page, told_out, error);
        for (size_t i = 0; i < page->count; i++) {
            free(page->items[i].endpoint);
            free(page->items[i].reason);
        }
        free(page);
    }
    return outcome;
}
