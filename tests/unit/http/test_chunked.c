/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbackd/buffer.h"
#include "chunked.h"

enum { WHOLE = -1, REFUSED = -2 };

struct outcome {
    int64_t end;     /* bytes up to the end of the body; WHOLE: it is not there; REFUSED */
    size_t taken;    /* bytes that were looked at */
    char data[4096]; /* what the chunks hold */
    struct error error;
};

/* At most `piece` bytes of data at a time. */
static void decode(struct bytes text, int64_t piece, struct outcome *out)
{
    struct chunked chunked;
    size_t at = 0;
    size_t used = 0;
    *out = (struct outcome){.end = WHOLE};
    chunked_init(&chunked);
    while (at < text.length && !chunked_is_at_end(&chunked)) {
        int64_t left = chunked_data_left(&chunked);
        if (left > piece)
            left = piece;
        if (left > (int64_t)(text.length - at))
            left = (int64_t)(text.length - at);
        if (left > 0) {
            assert_true(used + (size_t)left < sizeof(out->data));
            memcpy(out->data + used, text.data + at, (size_t)left);
            used += (size_t)left;
            at += (size_t)left;
            chunked_skip(&chunked, left);
        } else if (chunked_take(&chunked, text.data[at++], &out->error)) {
            out->end = REFUSED;
            break;
        }
    }
    out->taken = at;
    if (chunked_is_at_end(&chunked))
        out->end = (int64_t)at;
}

static void expect_data(const char *text, const char *data)
{
    for (int64_t piece = 1; piece < 100; piece += 33) {
        struct outcome outcome;
        decode(bytes_of_text(text), piece, &outcome);
        if (outcome.end != (int64_t)strlen(text) || strcmp(outcome.data, data) != 0)
            fail_msg("%lld, \"%s\" for: %s", (long long)outcome.end, outcome.data, text);
    }
}

static void expect_refusal(struct bytes text, size_t at)
{
    struct outcome outcome;
    decode(text, INT64_MAX, &outcome);
    if (outcome.end != REFUSED || outcome.taken != at + 1)
        fail_msg("%lld at %zu for: %s", (long long)outcome.end, outcome.taken, text.data);
    assert_int_equal(outcome.error.code, ERROR_INVALID);
    assert_true(outcome.error.message[0] != '\0');
}

static void chunks_are_put_together(void **state)
{
    (void)state;
    expect_data("0\r\n\r\n", "");
    expect_data("3\r\nabc\r\n0\r\n\r\n", "abc");
    expect_data("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", "abcd");
    expect_data("a\r\n0123456789\r\n00\r\n\r\n", "0123456789");
    expect_data("B\r\n0\r\n\r\n56789a\r\n0\r\n\r\n", "0\r\n\r\n56789a");
    expect_data("0000000000000000000001\r\nx\r\n0\r\n\r\n", "x");
}

static void extensions_and_trailers_have_no_consequence(void **state)
{
    (void)state;
    expect_data("1;a\r\nx\r\n0\r\n\r\n", "x");
    expect_data("1;a=b;c=\"d;e\"\r\nx\r\n0;last\r\n\r\n", "x");
    expect_data("1; a\t=\tb\r\nx\r\n0\r\n\r\n", "x");
    expect_data("1\r\nx\r\n0\r\nX: y\r\n\r\n", "x");
    expect_data("1\r\nx\r\n0\r\nX: y\r\nContent-Length:\r\nz:\xc3\xa4\r\n\r\n", "x");
}

static void what_comes_behind_the_end_is_not_looked_at(void **state)
{
    struct outcome outcome;
    (void)state;
    decode(bytes_of_text("1\r\nx\r\n0\r\n\r\nPOST"), 1, &outcome);
    assert_int_equal(outcome.end, 11);
    assert_int_equal(outcome.taken, 11);
}

/* No body that breaks off is whole. */
static void the_end_is_seen_only_when_it_is_there(void **state)
{
    static const char text[] = "3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n";
    struct outcome outcome;
    (void)state;
    for (size_t length = 0; length < sizeof(text) - 1; length++) {
        decode(bytes_of(text, length), 2, &outcome);
        assert_int_equal(outcome.end, WHOLE);
    }
}

static void a_line_that_is_not_exact_is_refused_at_once(void **state)
{
    static const struct {
        const char *text;
        size_t at;
    } bad[] = {
        {"\r\n", 0},
        {";a\r\n", 0},
        {"x", 0},
        {"-1\r\n", 0},
        {"+1\r\n", 0},
        {" 1\r\n", 0},
        {"0x1\r\n", 1},
        {"1 \r\n", 1},
        {"1\t\r\n", 1},
        {"1 ;a\r\n", 1},
        {"1\n", 1},
        {"1\r1\r\n", 2},
        {"1\r\r\n", 2},
        {"1;a\n", 3},
        {"1;a\r1\r\n", 4},
        {"1;a\x01\r\n", 3},
        {"1;a\x7f\r\n", 3},
        {"1;a\x80\r\n", 3},
        {"1\r\nxy\r\n", 4},
        {"1\r\nx\n", 4},
        {"1\r\nx\r0", 5},
        {"1\r\nx\r\n\r\n", 6},
        {"0\n", 1},
        {"0\r\n\n", 3},
        {"0\r\n\rx", 4},
        {"0\r\n X: y\r\n", 3},
        {"0\r\n: y\r\n", 3},
        {"0\r\nX : y\r\n", 4},
        {"0\r\nX\r\n", 4},
        {"0\r\nX: y\n", 7},
        {"0\r\nX: y\r\r\n", 8},
        {"0\r\nX: y\x01\r\n", 7},
        {"0\r\nX: y\r\n z\r\n", 9},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_refusal(bytes_of_text(bad[i].text), bad[i].at);
    expect_refusal(bytes_of("1\0\r\n", 4), 1);
    expect_refusal(bytes_of("1;a\0\r\n", 6), 3);
    expect_refusal(bytes_of("0\r\nX: \0\r\n", 9), 6);
}

static void sizes_have_limits(void **state)
{
    struct outcome outcome;
    struct chunked chunked;
    struct error error = {0};
    (void)state;
    chunked_init(&chunked);
    for (const char *c = "7fffffffffffffff\r\n"; *c; c++)
        assert_int_equal(chunked_take(&chunked, (unsigned char)*c, &error), 0);
    assert_true(chunked_data_left(&chunked) == INT64_MAX);
    expect_refusal(bytes_of_text("8000000000000000\r\n"), 15);
    expect_refusal(bytes_of_text("ffffffffffffffff\r\n"), 15);
    expect_refusal(bytes_of_text("10000000000000001\r\n"), 16);

    char text[2 * CHUNKED_TRAILER_MAX_BYTES];
    memset(text, 'a', sizeof(text));
    memcpy(text, "1;", 2);
    decode(bytes_of(text, sizeof(text)), 1, &outcome);
    assert_int_equal(outcome.end, REFUSED);
    assert_int_equal(outcome.taken, CHUNKED_LINE_MAX_BYTES + 1);
    memcpy(text, "0\r\n", 3);
    decode(bytes_of(text, sizeof(text)), 1, &outcome);
    assert_int_equal(outcome.end, REFUSED);
    assert_int_equal(outcome.taken, 3 + CHUNKED_TRAILER_MAX_BYTES + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_put_together),
        cmocka_unit_test(extensions_and_trailers_have_no_consequence),
        cmocka_unit_test(what_comes_behind_the_end_is_not_looked_at),
        cmocka_unit_test(the_end_is_seen_only_when_it_is_there),
        cmocka_unit_test(a_line_that_is_not_exact_is_refused_at_once),
        cmocka_unit_test(sizes_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
