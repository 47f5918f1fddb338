/* SPDX-License-Identifier: MIT */
#include "json_scan_private.h"

static const char *const reason_texts[] = {
    [WANT_VALUE] = "expected a value",
    [WANT_ELEMENT] = "expected a value or ']'",
    [WANT_KEY] = "expected a key in double quotes",
    [WANT_MEMBER] = "expected a key in double quotes or '}'",
    [WANT_COLON] = "expected ':' after the key",
    [WANT_COMMA_OR_BRACKET] = "expected ',' or ']'",
    [WANT_COMMA_OR_BRACE] = "expected ',' or '}'",
    [WANT_END] = "expected nothing after the value",
    [BAD_LITERAL] = "expected true, false or null",
    [BAD_NUMBER] = "not a number as JSON has them",
    [BAD_CONTROL] = "a control character in a string",
    [BAD_ESCAPE] = "not an escape that JSON has",
    [BAD_UTF8] = "not UTF-8",
    [TOO_DEEP] = "nested too deeply",
    [CUT_SHORT] = "the text ends too early",
    [EMPTY] = "there is no value",
};

static inline bool is_blank(unsigned char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline size_t skip_blanks(const struct json_run *run, size_t at)
{
    while (at < run->length && is_blank(run->data[at]))
        at++;
    return at;
}

static bool in_object(const struct json_scan *scan)
{
    unsigned level = (unsigned)scan->depth - 1;
    return scan->depth > 0 && (scan->objects[level / 64] >> (level % 64) & 1) != 0;
}

/* ---- containers and what stands between values ---- */

static size_t open_container(struct json_run *run, size_t at, bool object)
{
    struct json_scan *scan = run->scan;
    if (scan->depth >= scan->depth_max)
        return json_scan_fail(run, at, TOO_DEEP);
    scan->state = object ? EXPECT_MEMBER : EXPECT_ELEMENT;
    json_scan_emit(run, object ? JSON_OBJECT_BEGIN : JSON_ARRAY_BEGIN, at + 1);
    unsigned level = (unsigned)scan->depth++;
    uint64_t bit = (uint64_t)1 << (level % 64);
    if (object)
        scan->objects[level / 64] |= bit;
    else
        scan->objects[level / 64] &= ~bit;
    return at + 1;
}

static size_t close_container(struct json_run *run, size_t at)
{
    struct json_scan *scan = run->scan;
    bool object = in_object(scan);
    scan->depth--;
    scan->token_start = at;
    scan->state = AFTER_VALUE;
    json_scan_emit(run, object ? JSON_OBJECT_END : JSON_ARRAY_END, at + 1);
    return at + 1;
}

static inline size_t step_after(struct json_run *run, size_t at)
{
    struct json_scan *scan = run->scan;
    at = skip_blanks(run, at);
    if (at == run->length)
        return at;
    if (scan->depth == 0)
        return json_scan_fail(run, at, WANT_END);
    bool object = in_object(scan);
    unsigned char c = run->data[at];
    if (c == ',') {
        scan->state = object ? EXPECT_KEY : EXPECT_VALUE;
        return at + 1;
    }
    if (c == (object ? '}' : ']'))
        return close_container(run, at);
    return json_scan_fail(run, at, object ? WANT_COMMA_OR_BRACE : WANT_COMMA_OR_BRACKET);
}

static size_t step_colon(struct json_run *run, size_t at)
{
    at = skip_blanks(run, at);
    if (at == run->length)
        return at;
    if (run->data[at] != ':')
        return json_scan_fail(run, at, WANT_COLON);
    run->scan->state = EXPECT_VALUE;
    return at + 1;
}

static size_t step_key(struct json_run *run, size_t at)
{
    struct json_scan *scan = run->scan;
    at = skip_blanks(run, at);
    if (at == run->length)
        return at;
    if (run->data[at] == '}' && scan->state == EXPECT_MEMBER)
        return close_container(run, at);
    if (run->data[at] != '"')
        return json_scan_fail(run, at, scan->state == EXPECT_MEMBER ? WANT_MEMBER : WANT_KEY);
    scan->token_start = at;
    scan->in_key = true;
    scan->state = IN_STRING;
    return json_step_string(run, at + 1);
}

static size_t begin_literal(struct json_run *run, size_t at, enum json_literal literal)
{
    run->scan->state = IN_LITERAL;
    run->scan->detail = literal;
    run->scan->pending = 0;
    return json_step_literal(run, at);
}

static inline size_t begin_number(struct json_run *run, size_t at)
{
    unsigned char c = run->data[at];
    run->scan->state = c == '-' ? NUMBER_MINUS : c == '0' ? NUMBER_ZERO : NUMBER_INTEGER;
    return json_step_number(run, at + 1);
}

static inline size_t step_value(struct json_run *run, size_t at)
{
    struct json_scan *scan = run->scan;
    at = skip_blanks(run, at);
    if (at == run->length)
        return at;
    unsigned char c = run->data[at];
    scan->token_start = at;
    if (c == '-' || json_is_digit(c))
        return begin_number(run, at);
    switch (c) {
    case '"':
        scan->in_key = false;
        scan->state = IN_STRING;
        return json_step_string(run, at + 1);
    case '{':
        return open_container(run, at, true);
    case '[':
        return open_container(run, at, false);
    case 't':
        return begin_literal(run, at, LITERAL_TRUE);
    case 'f':
        return begin_literal(run, at, LITERAL_FALSE);
    case 'n':
        return begin_literal(run, at, LITERAL_NULL);
    case ']':
        if (scan->state == EXPECT_ELEMENT)
            return close_container(run, at);
        break;
    default:
        break;
    }
    return json_scan_fail(run, at, scan->state == EXPECT_ELEMENT ? WANT_ELEMENT : WANT_VALUE);
}

/* ---- the run ---- */

static inline size_t step(struct json_run *run, size_t at)
{
    switch (run->scan->state) {
    case EXPECT_VALUE:
    case EXPECT_ELEMENT:
        return step_value(run, at);
    case EXPECT_KEY:
    case EXPECT_MEMBER:
        return step_key(run, at);
    case EXPECT_COLON:
        return step_colon(run, at);
    case AFTER_VALUE:
        return step_after(run, at);
    case IN_STRING:
        return json_step_string(run, at);
    case IN_ESCAPE:
        return json_step_escape(run, at);
    case IN_HEX:
        return json_step_hex(run, at);
    case IN_UTF8:
        return json_step_utf8(run, at);
    case IN_LITERAL:
        return json_step_literal(run, at);
    default:
        return json_step_number(run, at);
    }
}

bool json_scan_was_stopped(const struct json_scan *scan)
{
    return scan->state == STOPPED;
}

void json_scan_describe(const struct json_scan *scan, char *out, size_t out_bytes)
{
    if (scan->detail == TOO_DEEP)
        snprintf(out, out_bytes, "nested deeper than %d levels", scan->depth_max);
    else
        snprintf(out, out_bytes, "%s", reason_texts[scan->detail]);
}

static int report(const struct json_scan *scan, struct error *error)
{
    char text[64];
    json_scan_describe(scan, text, sizeof text);
    return error_set(error, ERROR_INVALID, "byte %zu: %s", scan->position, text);
}

void json_scan_init(
    struct json_scan *scan, int depth_max, json_scan_handler *handler, void *context)
{
    memset(scan, 0, sizeof *scan);
    scan->handler = handler;
    scan->context = context;
    scan->depth_max = depth_max < 1 ? 1 : depth_max > JSON_DEPTH_MAX ? JSON_DEPTH_MAX : depth_max;
    scan->state = EXPECT_VALUE;
}

int json_scan_feed(struct json_scan *scan, struct bytes text, struct error *error)
{
    if (scan->state == STOPPED)
        return error_set(error, ERROR_INVALID, "the scan was stopped");
    if (scan->state == FAILED)
        return report(scan, error);
    if (text.length < scan->position)
        return error_set(error, ERROR_INTERNAL, "a text that is scanned has become shorter");
    struct json_run run = {scan, text.data, text.length, error};
    size_t at = scan->position;
    while (at < text.length && scan->state < FAILED)
        at = step(&run, at);
    scan->position = at;
    if (scan->state == STOPPED)
        return -1;
    return scan->state == FAILED ? report(scan, error) : 0;
}

static bool number_may_end(int state)
{
    return state == NUMBER_ZERO || json_repeats_digits(state);
}

int json_scan_finish(struct json_scan *scan, struct bytes text, struct error *error)
{
    if (json_scan_feed(scan, text, error) != 0)
        return -1;
    struct json_run run = {scan, text.data, text.length, error};
    if (scan->depth == 0 && number_may_end(scan->state)) {
        scan->state = AFTER_VALUE;
        json_scan_emit(&run, JSON_NUMBER, text.length);
        if (scan->state == STOPPED)
            return -1;
    }
    if (scan->depth == 0 && scan->state == AFTER_VALUE)
        return 0;
    json_scan_fail(
        &run, text.length, scan->depth == 0 && scan->state == EXPECT_VALUE ? EMPTY : CUT_SHORT);
    return report(scan, error);
}

int json_scan_text(
    struct bytes text, int depth_max, json_scan_handler *handler, void *context,
    struct error *error)
{
    struct json_scan scan;
    json_scan_init(&scan, depth_max, handler, context);
    return json_scan_finish(&scan, text, error);
}
