/* SPDX-License-Identifier: MIT */
/* Strings, numbers and literals: where nearly all of a scan's time goes. */
#include "json_scan_private.h"
#include "utf8.h"

/* ---- strings ---- */

/* Bytes of a string that mean themselves and are a character each: eight at a time. */
static inline size_t skip_plain(const struct json_run *run, size_t at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = ones * 0x80;
    while (run->length - at >= 8) {
        uint64_t word;
        memcpy(&word, run->data + at, 8);
        uint64_t quote = word ^ (ones * '"');
        uint64_t backslash = word ^ (ones * '\\');
        /* A top bit for a byte below 0x20, equal to a quote or backslash, or above 0x7F. A
         * borrow can only mark a byte after one that is marked rightly. */
        uint64_t special =
            ((word - ones * 0x20) | (quote - ones) | (backslash - ones) | word) & tops;
        if (special != 0)
            break;
        at += 8;
    }
    while (at < run->length) {
        unsigned char c = run->data[at];
        if (c < 0x20 || c == '"' || c == '\\' || c > 0x7F)
            break;
        at++;
    }
    return at;
}

static size_t end_string(struct json_run *run, size_t at)
{
    struct json_scan *scan = run->scan;
    scan->state = scan->in_key ? EXPECT_COLON : AFTER_VALUE;
    json_scan_emit(run, scan->in_key ? JSON_KEY : JSON_STRING, at + 1);
    return at + 1;
}

static size_t begin_utf8(struct json_run *run, size_t at)
{
    struct json_scan *scan = run->scan;
    unsigned char low, high;
    scan->pending = utf8_lead(run->data[at], &low, &high);
    if (scan->pending == 0)
        return json_scan_fail(run, at, BAD_UTF8);
    scan->detail = (uint32_t)low << 8 | high;
    scan->state = IN_UTF8;
    return at + 1;
}

size_t json_step_string(struct json_run *run, size_t at)
{
    for (;;) {
        at = skip_plain(run, at);
        if (at == run->length)
            return at;
        unsigned char c = run->data[at];
        if (c == '"')
            return end_string(run, at);
        if (c == '\\') {
            run->scan->state = IN_ESCAPE;
            return at + 1;
        }
        if (c < 0x20)
            return json_scan_fail(run, at, BAD_CONTROL);
        /* Other scripts come in runs. */
        do {
            size_t whole = utf8_whole(run->data + at, run->length - at);
            if (whole == 0)
                return begin_utf8(run, at);
            at += whole;
        } while (at < run->length && run->data[at] > 0x7F);
    }
}

size_t json_step_utf8(struct json_run *run, size_t at)
{
    struct json_scan *scan = run->scan;
    unsigned char c = run->data[at];
    if (c < scan->detail >> 8 || c > (scan->detail & 0xFF))
        return json_scan_fail(run, at, BAD_UTF8);
    scan->detail = (uint32_t)UTF8_LOW << 8 | UTF8_HIGH;
    if (--scan->pending == 0)
        scan->state = IN_STRING;
    return at + 1;
}

size_t json_step_escape(struct json_run *run, size_t at)
{
    switch (run->data[at]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        run->scan->state = IN_STRING;
        return at + 1;
    case 'u':
        run->scan->state = IN_HEX;
        run->scan->pending = 4;
        return at + 1;
    default:
        return json_scan_fail(run, at, BAD_ESCAPE);
    }
}

size_t json_step_hex(struct json_run *run, size_t at)
{
    unsigned char c = run->data[at];
    unsigned char lower = c | 0x20;
    if (!json_is_digit(c) && (lower < 'a' || lower > 'f'))
        return json_scan_fail(run, at, BAD_ESCAPE);
    if (--run->scan->pending == 0)
        run->scan->state = IN_STRING;
    return at + 1;
}

/* ---- numbers and literals ---- */

static const struct literal {
    const char *text;
    int length;
    enum json_event event;
} literals[] = {{"true", 4, JSON_TRUE}, {"false", 5, JSON_FALSE}, {"null", 4, JSON_NULL}};

/* The state after `c`; AFTER_VALUE when it ends the number, FAILED when it may not follow. */
static int number_next(int state, unsigned char c)
{
    bool digit = json_is_digit(c);
    bool e = (c | 0x20) == 'e';
    switch (state) {
    case NUMBER_MINUS:
        return c == '0' ? NUMBER_ZERO : digit ? NUMBER_INTEGER : FAILED;
    case NUMBER_ZERO:
        return c == '.' ? NUMBER_POINT : e ? NUMBER_E : digit ? FAILED : AFTER_VALUE;
    case NUMBER_INTEGER:
        return digit ? NUMBER_INTEGER : c == '.' ? NUMBER_POINT : e ? NUMBER_E : AFTER_VALUE;
    case NUMBER_POINT:
        return digit ? NUMBER_FRACTION : FAILED;
    case NUMBER_FRACTION:
        return digit ? NUMBER_FRACTION : e ? NUMBER_E : AFTER_VALUE;
    case NUMBER_E:
        return digit ? NUMBER_EXPONENT : c == '+' || c == '-' ? NUMBER_E_SIGN : FAILED;
    case NUMBER_E_SIGN:
        return digit ? NUMBER_EXPONENT : FAILED;
    default: /* NUMBER_EXPONENT */
        return digit ? NUMBER_EXPONENT : AFTER_VALUE;
    }
}

size_t json_step_number(struct json_run *run, size_t at)
{
    struct json_scan *scan = run->scan;
    int state = scan->state;
    while (at < run->length) {
        unsigned char c = run->data[at];
        if (json_is_digit(c) && json_repeats_digits(state)) {
            at++;
            continue;
        }
        state = number_next(state, c);
        if (state == FAILED)
            return json_scan_fail(run, at, BAD_NUMBER);
        if (state == AFTER_VALUE) {
            scan->state = AFTER_VALUE;
            json_scan_emit(run, JSON_NUMBER, at);
            return at;
        }
        at++;
    }
    scan->state = state;
    return at;
}

size_t json_step_literal(struct json_run *run, size_t at)
{
    struct json_scan *scan = run->scan;
    const struct literal *literal = &literals[scan->detail];
    while (at < run->length && scan->pending < literal->length) {
        if (run->data[at] != (unsigned char)literal->text[scan->pending])
            return json_scan_fail(run, at, BAD_LITERAL);
        scan->pending++;
        at++;
    }
    if (scan->pending == literal->length) {
        scan->state = AFTER_VALUE;
        json_scan_emit(run, literal->event, at);
    }
    return at;
}
