/* SPDX-License-Identifier: MIT */
#include "regex.h"

#include <stdint.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "callbackd/clock.h"

enum {
    MATCH_STEPS_MAX = 1000000,
    MATCH_HEAP_KIB_MAX = 16 * 1024,
    MATCH_TIME_MAX_MS = 250,
};

struct regex {
    pcre2_code *code;
};

struct regex *regex_new(const char *pattern, struct error *error)
{
    int number = 0;
    PCRE2_SIZE offset = 0;
    /* The callouts are where the time is looked at: the bound on steps does not count what a
     * single item such as a* runs over, which from each start of a long text is quadratic. */
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_AUTO_CALLOUT;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &number, &offset, NULL);
    if (!code) {
        PCRE2_UCHAR text[256] = "unknown error";
        pcre2_get_error_message(number, text, sizeof(text));
        error_set(
            error, ERROR_INVALID, "regular expression, at character %zu: %s", (size_t)offset,
            (const char *)text);
        return NULL;
    }
    struct regex *regex = malloc(sizeof(*regex));
    if (!regex) {
        pcre2_code_free(code);
        error_set(error, ERROR_MEMORY, "no memory for a regular expression");
        return NULL;
    }
    regex->code = code;
    return regex;
}

void regex_free(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    free(regex);
}

static int stop_when_late(pcre2_callout_block *block, void *context)
{
    (void)block;
    const int64_t *deadline_ms = context;
    return clock_monotonic_ms() > *deadline_ms ? PCRE2_ERROR_CALLOUT : 0;
}

int regex_match(const struct regex *regex, struct bytes text)
{
    int answer = REGEX_STARVED;
    int64_t deadline_ms = clock_monotonic_ms() + MATCH_TIME_MAX_MS;
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (context && data) {
        pcre2_set_match_limit(context, MATCH_STEPS_MAX);
        pcre2_set_heap_limit(context, MATCH_HEAP_KIB_MAX);
        pcre2_set_callout(context, stop_when_late, &deadline_ms);
        PCRE2_SPTR subject = text.length > 0 ? text.data : (PCRE2_SPTR) "";
        int found = pcre2_match(regex->code, subject, text.length, 0, 0, data, context);
        if (found != PCRE2_ERROR_NOMEMORY)
            answer = found >= 0 ? 1 : found == PCRE2_ERROR_NOMATCH ? 0 : -1;
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    return answer;
}
