/* SPDX-License-Identifier: MIT */
/* What the tests of copies and checks share: a store whose state and log belong together. */
#ifndef CALLBACKD_TESTS_UPKEEP_FIXTURE_H
#define CALLBACKD_TESTS_UPKEEP_FIXTURE_H

#include "callbackd/upkeep.h"
#include "state_fixture.h"

static inline int insert_result(struct state_tx *tx, void *context, struct error *error)
{
    if (state_result_insert(tx, context, error) != 0)
        return -1;
    return state_cursor_set(tx, ((struct result_record *)context)->seq, error);
}

static inline int setup_both(void **state)
{
    struct fixture *fixture;

    setup_log(state);
    fixture = *state;
    fixture->state = state_open(fixture->directory, &fixture->error);
    fixture_succeeds(fixture->state == NULL ? -1 : 0, &fixture->error);
    return 0;
}

static inline int copy_identity(void *context, const struct result_entry *entry)
{
    struct result_record *result = context;

    result->id = entry->id;
    memcpy(result->sha256, entry->sha256, sizeof result->sha256);
    return 0;
}

/* What the worker would decide about an entry. */
static inline struct result_record decided(struct result_log *log, int64_t seq)
{
    struct result_record result = a_result(seq);

    assert_int_equal(result_log_get(log, seq, copy_identity, &result, NULL), 0);
    return result;
}

static inline void both(struct fixture *fixture, const char *body)
{
    struct result_record result = decided(fixture->log, append_text(fixture, NULL, body).seq);

    writes(fixture, insert_result, &result);
}

static inline void print_finding(void *context, const char *finding)
{
    (void)context;
    print_message("%s\n", finding);
}

static inline int64_t findings(struct fixture *fixture)
{
    const struct store_check_options options = {
        .directory = fixture->directory,
        .parts = STORE_CHECK_ROWS | STORE_CHECK_STRUCTURE,
        .found = print_finding,
    };
    struct store_check_figures figures;

    fixture_succeeds(store_check(&options, &figures, &fixture->error), &fixture->error);
    assert_true(figures.structure_checked || figures.findings > 0);
    return figures.findings;
}

#endif
