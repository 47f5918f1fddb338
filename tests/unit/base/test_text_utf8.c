/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbackd/text.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static size_t encode(uint32_t point, unsigned char out[static 4])
{
    if (point < 0x80) {
        out[0] = (unsigned char)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length; i-- > 1; point >>= 6)
        out[i] = (unsigned char)(0x80 | (point & 0x3f));
    out[0] = (unsigned char)(leads[length] | point);
    return length;
}

static void every_code_point_but_surrogates_is_taken(void **state)
{
    (void)state;
    for (uint32_t point = 0; point < 0x110000; point++) {
        unsigned char data[4];
        size_t length = encode(point, data);
        bool surrogate = point >= 0xd800 && point < 0xe000;
        size_t taken = text_utf8_sequence(bytes_of(data, length));
        if (taken != (surrogate ? 0 : length))
            fail_msg("U+%04X", (unsigned)point);
    }
}

static void what_rfc_3629_forbids_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80",
        "\xfe",
        "\xff",
        "a\x80z",
        "\xc3(",
        "\xe2\x82(",
        "\xf0\x9f\x98(",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(text_is_utf8(bytes_of_text(bad[i])));
}

static void a_sequence_cut_short_is_refused(void **state)
{
    (void)state;
    static const char *const whole[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < COUNT_OF(whole); i++) {
        for (size_t length = 1; length < strlen(whole[i]); length++)
            assert_false(text_is_utf8(bytes_of(whole[i], length)));
        assert_true(text_is_utf8(bytes_of_text(whole[i])));
    }
}

static void empty_text_is_utf8_and_begins_with_nothing(void **state)
{
    (void)state;
    assert_true(text_is_utf8(bytes_of(NULL, 0)));
    assert_int_equal(text_utf8_sequence(bytes_of(NULL, 0)), 0);
    assert_true(text_is_utf8(bytes_of("a\0b", 3)));
}

static void assert_printable(struct bytes text, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(text_append_printable(&out, text), 0);
    assert_string_equal(buffer_text(&out), expected);
    buffer_fini(&out);
}

static void printable_text_stays_as_it_is(void **state)
{
    (void)state;
    assert_printable(
        bytes_of_text("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \\ \""),
        "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \\ \"");
    assert_printable(bytes_of_text("\xc2\xa0"), "\xc2\xa0");
    assert_printable(bytes_of(NULL, 0), "");
}

static void what_a_terminal_obeys_is_escaped(void **state)
{
    (void)state;
    assert_printable(bytes_of_text("\x1b[2J"), "\\x1b[2J");
    assert_printable(bytes_of("\0\n\r\t\x7f", 5), "\\x00\\x0a\\x0d\\x09\\x7f");
    assert_printable(
        bytes_of_text("\xc2\x9b"
                      "31m"),
        "\\xc2\\x9b31m");
    assert_printable(bytes_of_text("\xc2\x80\xc2\x9f"), "\\xc2\\x80\\xc2\\x9f");
}

/* Each mark, embedding, override and isolate; both separators; and the neighbours of each range. */
static void what_turns_or_ends_a_line_is_escaped(void **state)
{
    (void)state;
    static const char *const shown[] = {"\xd8\x9b",     "\xd8\x9d",     "\xe2\x80\x8d",
                                        "\xe2\x80\x90", "\xe2\x80\xa7", "\xe2\x80\xaf",
                                        "\xe2\x81\xa5", "\xe2\x81\xaa", "\xf0\x90\x80\x8e"};
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        assert_printable(bytes_of_text(shown[i]), shown[i]);
    assert_printable(bytes_of_text("\xd8\x9c"), "\\xd8\\x9c");
    static const unsigned char spans[][3] = {
        {0x80, 0x8e, 0x8f}, {0x80, 0xa8, 0xae}, {0x81, 0xa6, 0xa9}};
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
        for (unsigned last = spans[i][1]; last <= spans[i][2]; last++) {
            const unsigned char text[] = {0xe2, spans[i][0], (unsigned char)last};
            char expected[13];
            snprintf(expected, sizeof(expected), "\\xe2\\x%02x\\x%02x", spans[i][0], last);
            assert_printable(bytes_of(text, sizeof(text)), expected);
        }
}

static void bad_utf8_is_escaped_byte_by_byte(void **state)
{
    (void)state;
    assert_printable(bytes_of_text("a\xff\xe2\x82z"), "a\\xff\\xe2\\x82z");
    assert_printable(bytes_of_text("\xed\xa0\x80"), "\\xed\\xa0\\x80");
}

static void printable_text_that_does_not_fit_adds_nothing(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 6);
    buffer_append_text(&out, "x");
    assert_int_equal(text_append_printable(&out, bytes_of_text("abc\n")), -1);
    assert_string_equal(buffer_text(&out), "x");
    assert_true(buffer_failed(&out));
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_but_surrogates_is_taken),
        cmocka_unit_test(what_rfc_3629_forbids_is_refused),
        cmocka_unit_test(a_sequence_cut_short_is_refused),
        cmocka_unit_test(empty_text_is_utf8_and_begins_with_nothing),
        cmocka_unit_test(printable_text_stays_as_it_is),
        cmocka_unit_test(what_a_terminal_obeys_is_escaped),
        cmocka_unit_test(what_turns_or_ends_a_line_is_escaped),
        cmocka_unit_test(bad_utf8_is_escaped_byte_by_byte),
        cmocka_unit_test(printable_text_that_does_not_fit_adds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
