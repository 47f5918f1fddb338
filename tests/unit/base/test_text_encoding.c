/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbackd/text.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void hex_encodes_every_byte_in_lower_case(void **state)
{
    (void)state;
    char text[9];
    text_hex_encode(bytes_of("\x00\x0f\xa5\xff", 4), text);
    assert_string_equal(text, "000fa5ff");
    text_hex_encode(bytes_of(NULL, 0), text);
    assert_string_equal(text, "");
}

static void hex_decodes_either_case(void **state)
{
    (void)state;
    unsigned char data[4];
    assert_true(text_hex_decode(bytes_of_text("000FA5ff"), data, 4));
    assert_memory_equal(data, "\x00\x0f\xa5\xff", 4);
    assert_true(text_hex_decode(bytes_of_text(""), data, 0));
}

static void other_hex_is_refused_and_writes_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "0", "000", "00000", "000000", "00g0", "0x00", "00 0"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        unsigned char data[2] = {7, 7};
        assert_false(text_hex_decode(bytes_of_text(bad[i]), data, 2));
        assert_memory_equal(data, "\x07\x07", 2);
    }
}

/* RFC 4648 section 10, and what tells the two alphabets apart. */
static const struct {
    const char *data;
    const char *plain;
    const char *url;
} base64_vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+", "-__-"},
};

static void base64_encodes_the_standard_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(base64_vectors); i++) {
        struct buffer out;
        buffer_init(&out, 100);
        assert_int_equal(text_base64_encode(bytes_of_text(base64_vectors[i].data), &out), 0);
        assert_string_equal(buffer_text(&out), base64_vectors[i].plain);
        buffer_clear(&out);
        assert_int_equal(text_base64url_encode(bytes_of_text(base64_vectors[i].data), &out), 0);
        assert_string_equal(buffer_text(&out), base64_vectors[i].url);
        buffer_fini(&out);
    }
}

static void base64_decodes_the_standard_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(base64_vectors); i++) {
        struct buffer out;
        buffer_init(&out, 100);
        assert_true(text_base64_decode(bytes_of_text(base64_vectors[i].plain), &out));
        assert_string_equal(buffer_text(&out), base64_vectors[i].data);
        buffer_clear(&out);
        assert_true(text_base64url_decode(bytes_of_text(base64_vectors[i].url), &out));
        assert_string_equal(buffer_text(&out), base64_vectors[i].data);
        buffer_fini(&out);
    }
}

static void every_byte_at_every_place_comes_back(void **state)
{
    (void)state;
    for (int value = 0; value < 256; value++) {
        for (size_t length = 1; length <= 4; length++) {
            struct buffer text;
            struct buffer back;
            unsigned char data[4];
            memset(data, value, sizeof(data));
            buffer_init(&text, 100);
            buffer_init(&back, length);
            text_base64url_encode(bytes_of(data, length), &text);
            assert_true(text_base64url_decode(buffer_bytes(&text), &back));
            assert_true(bytes_equal(buffer_bytes(&back), bytes_of(data, length)));
            buffer_fini(&text);
            buffer_fini(&back);
        }
    }
}

static void assert_refused(bool (*decode)(struct bytes text, struct buffer *out), struct bytes text)
{
    struct buffer out;
    buffer_init(&out, 100);
    buffer_append_text(&out, "kept");
    if (decode(text, &out))
        fail_msg("decoded %.*s", (int)text.length, (const char *)text.data);
    assert_string_equal(buffer_text(&out), "kept");
    assert_false(buffer_failed(&out));
    buffer_fini(&out);
}

static void base64url_has_one_spelling_for_each_value(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Z",      "Zg==",  "Zg=",   "Zh",   "Zm9",      "Zm9v=",      "Zm9vY", "Zm9vYh",
        "Zm9v\n", " Zm9v", "Zm 9v", "+//+", "Zm9vYmE=", "Z\xc3\xa9g", "====",  "Zm8\x80",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_refused(text_base64url_decode, bytes_of_text(bad[i]));
    assert_refused(text_base64url_decode, bytes_of("Zm\0v", 4));
}

static void base64_knows_no_other_digits(void **state)
{
    (void)state;
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (int value = 0; value < 256; value++) {
        char text[] = "Zm9v";
        text[1] = (char)value;
        if (value != 0 && strchr(digits, value) != NULL)
            continue;
        if (value != '+' && value != '/')
            assert_refused(text_base64_decode, bytes_of(text, 4));
        if (value != '-' && value != '_')
            assert_refused(text_base64url_decode, bytes_of(text, 4));
    }
}

static void base64_wants_its_padding_and_no_slack(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Zg",   "Zg=",  "Zm8",      "Zh==",    "Zm9=",  "=",      "==",   "====",
        "Z===", "-__-", "Zg==Zg==", "Zm9vZg=", "Zg= =", "Zm9v\n", "=Zm9", "Zm9vYm====",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_refused(text_base64_decode, bytes_of_text(bad[i]));
}

static void base64_fails_when_the_buffer_is_full(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 4);
    assert_int_equal(text_base64_encode(bytes_of_text("foob"), &out), -1);
    assert_string_equal(buffer_text(&out), "");
    assert_true(buffer_failed(&out));
    buffer_clear(&out);
    assert_false(text_base64_decode(bytes_of_text("Zm9vYmFy"), &out));
    assert_string_equal(buffer_text(&out), "");
    buffer_clear(&out);
    assert_int_equal(text_base64_encode(bytes_of_text("foo"), &out), 0);
    assert_string_equal(buffer_text(&out), "Zm9v");
    buffer_fini(&out);
}

static void percent_encodes_all_but_the_unreserved(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1000);
    text_percent_encode(bytes_of_text("AZaz09-._~"), &out);
    assert_string_equal(buffer_text(&out), "AZaz09-._~");
    buffer_clear(&out);
    text_percent_encode(bytes_of("a b/?+%\0\xff", 9), &out);
    assert_string_equal(buffer_text(&out), "a%20b%2F%3F%2B%25%00%FF");
    buffer_fini(&out);
}

static void percent_encoding_that_does_not_fit_adds_nothing(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 6);
    buffer_append_text(&out, "x=");
    assert_int_equal(text_percent_encode(bytes_of_text("ab  "), &out), -1);
    assert_string_equal(buffer_text(&out), "x=");
    assert_true(buffer_failed(&out));
    buffer_fini(&out);
}

static void percent_decodes_either_case(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 100);
    assert_true(text_percent_decode(bytes_of_text("a%20b%2f%2F%c3%A9"), false, &out));
    assert_string_equal(buffer_text(&out), "a b//\xc3\xa9");
    buffer_clear(&out);
    assert_true(text_percent_decode(bytes_of_text("%00"), false, &out));
    assert_int_equal(out.length, 1);
    buffer_fini(&out);
}

static void plus_is_a_space_in_forms_only(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 100);
    assert_true(text_percent_decode(bytes_of_text("a+b%2B"), true, &out));
    assert_string_equal(buffer_text(&out), "a b+");
    buffer_clear(&out);
    assert_true(text_percent_decode(bytes_of_text("a+b"), false, &out));
    assert_string_equal(buffer_text(&out), "a+b");
    buffer_fini(&out);
}

static bool decode_form(struct bytes text, struct buffer *out)
{
    return text_percent_decode(text, true, out);
}

static void bad_percent_escapes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"%", "%2", "abc%", "abc%4", "%zz", "%2g", "%%20", "%+1"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_refused(decode_form, bytes_of_text(bad[i]));
    assert_refused(decode_form, bytes_of("%41", 2));
}

static void percent_decoding_that_does_not_fit_adds_nothing(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 3);
    buffer_append_text(&out, "x");
    assert_false(text_percent_decode(bytes_of_text("%41%42%43"), false, &out));
    assert_string_equal(buffer_text(&out), "x");
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_encodes_every_byte_in_lower_case),
        cmocka_unit_test(hex_decodes_either_case),
        cmocka_unit_test(other_hex_is_refused_and_writes_nothing),
        cmocka_unit_test(base64_encodes_the_standard_vectors),
        cmocka_unit_test(base64_decodes_the_standard_vectors),
        cmocka_unit_test(every_byte_at_every_place_comes_back),
        cmocka_unit_test(base64url_has_one_spelling_for_each_value),
        cmocka_unit_test(base64_knows_no_other_digits),
        cmocka_unit_test(base64_wants_its_padding_and_no_slack),
        cmocka_unit_test(base64_fails_when_the_buffer_is_full),
        cmocka_unit_test(percent_encodes_all_but_the_unreserved),
        cmocka_unit_test(percent_encoding_that_does_not_fit_adds_nothing),
        cmocka_unit_test(percent_decodes_either_case),
        cmocka_unit_test(plus_is_a_space_in_forms_only),
        cmocka_unit_test(bad_percent_escapes_are_refused),
        cmocka_unit_test(percent_decoding_that_does_not_fit_adds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
