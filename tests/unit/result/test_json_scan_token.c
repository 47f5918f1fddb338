/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feeding.h"

enum { DEPTH = 128 };

static bool accepted(const char *text)
{
    struct outcome outcome = scan_whole(bytes_of_text(text), DEPTH);
    struct outcome bytewise = scan_bytewise(bytes_of_text(text), DEPTH);
    assert_true(outcomes_equal(&outcome, &bytewise));
    return outcome.result == 0;
}

static void numbers_follow_the_grammar(void **state)
{
    (void)state;
    static const char *const right[] = {
        "0",     "-0",    "1",    "-1",   "10",     "1234567890", "0.0",     "-0.5",
        "1.25",  "1e1",   "1E1",  "1e+1", "1e-1",   "0e0",        "0E+00",   "1.5e300",
        "1e999", "10.01", "1e00", "20e1", "123e65", "0e1",        "1.0E+25", "9223372036854775808"};
    static const char *const wrong[] = {
        "-",   "+1",  "01",   "-01",  "00",    "1.",    ".1",       "-.1", "1.e1", "1e",
        "1e+", "1e-", "1ee1", "1e1.", "0x1",   "1a",    "1-1",      "--1", "1+1",  "- 1",
        "1 1", "NaN", "nan",  "-Inf", "1.2.3", "1e1e1", "Infinity", "1_0", "1,"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        if (!accepted(right[i]))
            fail_msg("%s is refused", right[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (accepted(wrong[i]))
            fail_msg("%s is accepted", wrong[i]);
}

static void literals_are_exact(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "True", "TRUE",  "tru",        "truee", "t",     "nul",     "nulll", "falsey",   "fals",
        "n",    "trueé", "true false", "nil",   "[tru]", "[nullx]", "None",  "undefined"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (accepted(wrong[i]))
            fail_msg("%s is accepted", wrong[i]);
}

/* ---- strings ---- */

static bool string_accepted(const void *content, size_t length)
{
    unsigned char text[64];
    text[0] = '"';
    memcpy(text + 1, content, length);
    text[length + 1] = '"';
    struct bytes view = bytes_of(text, length + 2);
    struct outcome outcome = scan_whole(view, DEPTH);
    struct outcome bytewise = scan_bytewise(view, DEPTH);
    assert_true(outcomes_equal(&outcome, &bytewise));
    return outcome.result == 0;
}

static void each_byte_is_judged_alike_at_each_place_of_a_string(void **state)
{
    (void)state;
    /* The eight-at-a-time loop must neither miss a byte nor mark its neighbours. */
    static const unsigned char fillers[] = {' ', '!', '#', '[', ']', 0x7F, '`', 'a'};
    for (size_t f = 0; f < sizeof fillers; f++) {
        for (size_t place = 0; place < 19; place++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                unsigned char content[19];
                memset(content, fillers[f], sizeof content);
                content[place] = (unsigned char)byte;
                bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
                assert_int_equal(string_accepted(content, sizeof content), plain);
            }
        }
    }
}

static void only_the_escapes_of_the_grammar_are_accepted(void **state)
{
    (void)state;
    for (unsigned byte = 1; byte < 256; byte++) {
        unsigned char content[] = {'\\', (unsigned char)byte, '0', '0', 'a', 'F'};
        bool right = strchr("\"\\/bfnrtu", (int)byte) != NULL;
        assert_int_equal(string_accepted(content, sizeof content), right);
    }
    for (size_t place = 0; place < 4; place++) {
        for (unsigned byte = 1; byte < 256; byte++) {
            unsigned char content[] = {'\\', 'u', '1', 'a', 'B', '9', ' '};
            content[2 + place] = (unsigned char)byte;
            bool right = strchr("0123456789abcdefABCDEF", (int)byte) != NULL;
            assert_int_equal(string_accepted(content, sizeof content), right);
        }
    }
}

static void lone_surrogate_escapes_and_nul_escapes_are_grammar(void **state)
{
    (void)state;
    assert_true(accepted("\"\\ud800\""));
    assert_true(accepted("\"\\udc00\\ud800\""));
    assert_true(accepted("\"\\u0000\""));
}

/* Decodes by value, unlike the scanner's ranges. */
static bool is_one_character(const unsigned char *data, size_t length)
{
    uint32_t code = data[0] & (length == 2 ? 0x1F : length == 3 ? 0x0F : 0x07);
    static const unsigned char marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    static const unsigned char masks[] = {0, 0, 0xE0, 0xF0, 0xF8};
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if ((data[0] & masks[length]) != marks[length])
        return false;
    for (size_t i = 1; i < length; i++) {
        if (data[i] >> 6 != 2)
            return false;
        code = code << 6 | (data[i] & 0x3F);
    }
    return code >= least[length] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
}

static void utf8_is_rfc_3629(void **state)
{
    (void)state;
    static const unsigned char tails[] = {0x00, 0x22, 0x41, 0x7F, 0x80, 0x8F,
                                          0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    unsigned char c[4];
    for (unsigned lead = 0x80; lead < 0x100; lead++) {
        c[0] = (unsigned char)lead;
        assert_false(string_accepted(c, 1));
        for (unsigned second = 0x80; second < 0x100; second++) {
            c[1] = (unsigned char)second;
            assert_int_equal(string_accepted(c, 2), is_one_character(c, 2));
            for (size_t t = 0; t < sizeof tails; t++) {
                c[2] = tails[t];
                if (c[2] < 0x80 && c[2] != 0x41)
                    continue;
                assert_int_equal(
                    string_accepted(c, 3),
                    is_one_character(c, 3) || (c[2] == 0x41 && is_one_character(c, 2)));
            }
        }
    }
}

static void utf8_of_four_bytes_is_rfc_3629(void **state)
{
    (void)state;
    static const unsigned char tails[] = {0x7F, 0x80, 0xBF, 0xC0, 0xFF};
    unsigned char c[4];
    for (unsigned lead = 0xF0; lead < 0x100; lead++)
        for (unsigned second = 0x80; second < 0x100; second++)
            for (size_t third = 0; third < sizeof tails; third++)
                for (size_t fourth = 0; fourth < sizeof tails; fourth++) {
                    c[0] = (unsigned char)lead;
                    c[1] = (unsigned char)second;
                    c[2] = tails[third];
                    c[3] = tails[fourth];
                    assert_int_equal(string_accepted(c, 4), is_one_character(c, 4));
                }
}

static void bytes_outside_strings_are_ascii(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        unsigned char text[] = {'[', '1', (unsigned char)byte, ']'};
        bool right = byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' ||
                     (byte >= '0' && byte <= '9');
        assert_int_equal(scan_whole(bytes_of(text, sizeof text), DEPTH).result == 0, right);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_follow_the_grammar),
        cmocka_unit_test(literals_are_exact),
        cmocka_unit_test(each_byte_is_judged_alike_at_each_place_of_a_string),
        cmocka_unit_test(only_the_escapes_of_the_grammar_are_accepted),
        cmocka_unit_test(lone_surrogate_escapes_and_nul_escapes_are_grammar),
        cmocka_unit_test(utf8_is_rfc_3629),
        cmocka_unit_test(utf8_of_four_bytes_is_rfc_3629),
        cmocka_unit_test(bytes_outside_strings_are_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
