/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "callbackd/text.h"
#include "callbackd/verify.h"

static unsigned char key_a[] = "0123456789abcdef0123456789abcdef";
static unsigned char key_b[] = "another key, of another length";

/* Without the NUL of the literals. */
static struct config_secret items[] = {{key_a, sizeof key_a - 1}, {key_b, sizeof key_b - 1}};
static struct config_secret items_swapped[] = {
    {key_b, sizeof key_b - 1}, {key_a, sizeof key_a - 1}};
static const struct config_secrets only_a = {items, 1};
static const struct config_secrets only_b = {items + 1, 1};
static const struct config_secrets a_then_b = {items, 2};
static const struct config_secrets b_then_a = {items_swapped, 2};

static const int64_t expiry_s = 1800000000;

/* Made with another implementation of HMAC from the layout in verify.h. */
static const char known_token[] =
    "AQGS8AASNHq8je8BI0VniasAAAAAa0nSAH2_43Yc8ISkqzyhXx47-nTlvLw_BHhFxKbIDaVwgK06";
static const char version_2_token[] =
    "AgGS8AASNHq8je8BI0VniasAAAAAa0nSAKUG6p5SVxgyJElR-2taaehRIrUeu4zasmV2UC0mk0iy";

static struct id known_run(void)
{
    struct id run;
    assert_true(id_parse(bytes_of_text("0192f000-1234-7abc-8def-0123456789ab"), &run));
    return run;
}

static void mint(
    const struct config_secrets *keys, const char *endpoint, char out[static RUN_TOKEN_TEXT_BYTES])
{
    struct error error;
    struct id run = known_run();
    assert_int_equal(run_token_mint(keys, endpoint, &run, expiry_s, out, &error), 0);
    assert_int_equal(strlen(out), RUN_TOKEN_TEXT_LENGTH);
}

static bool verifies_at(
    const struct config_secrets *keys, const char *endpoint, struct bytes token, int64_t now_s)
{
    struct error error = {0};
    struct id run;
    struct id before;
    memset(&run, 0x5a, sizeof run);
    before = run;
    if (run_token_verify(keys, endpoint, token, now_s, &run, &error) == 0) {
        struct id known = known_run();
        assert_true(id_equal(&run, &known));
        return true;
    }
    assert_int_equal(error.code, ERROR_UNAUTHORIZED);
    assert_true(id_equal(&run, &before));
    return false;
}

static bool verifies(const struct config_secrets *keys, const char *endpoint, const char *token)
{
    return verifies_at(keys, endpoint, bytes_of_text(token), expiry_s - 1);
}

static void the_layout_is_the_documented_one(void **state)
{
    (void)state;
    char token[RUN_TOKEN_TEXT_BYTES];
    mint(&only_a, "results", token);
    assert_string_equal(token, known_token);
    assert_true(verifies(&only_a, "results", known_token));
}

static void every_single_bit_that_changes_is_refused(void **state)
{
    (void)state;
    struct buffer raw;
    buffer_init(&raw, 64);
    assert_true(text_base64url_decode(bytes_of_text(known_token), &raw));
    assert_int_equal(raw.length, 57);
    for (size_t bit = 0; bit < raw.length * 8; bit++) {
        struct buffer changed;
        buffer_init(&changed, RUN_TOKEN_TEXT_LENGTH);
        raw.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_int_equal(text_base64url_encode(buffer_bytes(&raw), &changed), 0);
        raw.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (verifies(&a_then_b, "results", buffer_text(&changed)))
            fail_msg("bit %zu may be changed", bit);
        buffer_fini(&changed);
    }
    buffer_fini(&raw);
}

static void every_single_character_that_changes_is_refused(void **state)
{
    (void)state;
    char token[RUN_TOKEN_TEXT_BYTES];
    for (size_t i = 0; i < RUN_TOKEN_TEXT_LENGTH; i++)
        for (int c = 0; c < 256; c++) {
            memcpy(token, known_token, sizeof token);
            token[i] = (char)c;
            bool same = token[i] == known_token[i];
            struct bytes text = bytes_of(token, RUN_TOKEN_TEXT_LENGTH);
            assert_int_equal(verifies_at(&only_a, "results", text, 0), same);
        }
}

static void only_the_exact_length_is_taken(void **state)
{
    (void)state;
    char longer[RUN_TOKEN_TEXT_BYTES + 8];
    static const char *const tails[] = {"=", "A", "/", "AAAA", " "};
    for (size_t length = 0; length < RUN_TOKEN_TEXT_LENGTH; length++)
        assert_false(verifies_at(&only_a, "results", bytes_of(known_token, length), 0));
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        snprintf(longer, sizeof longer, "%s%s", known_token, tails[i]);
        assert_false(verifies(&only_a, "results", longer));
    }
    /* The NUL of the text is not part of it. */
    assert_false(verifies_at(&only_a, "results", bytes_of(known_token, sizeof known_token), 0));
    assert_false(verifies_at(&only_a, "results", bytes_of(NULL, 0), 0));
}

static void the_other_base64_is_refused(void **state)
{
    (void)state;
    char token[RUN_TOKEN_TEXT_BYTES];
    memcpy(token, known_token, sizeof token);
    assert_non_null(strchr(token, '_'));
    *strchr(token, '_') = '/';
    assert_false(verifies(&only_a, "results", token));
    memcpy(token, known_token, sizeof token);
    *strchr(token, '-') = '+';
    assert_false(verifies(&only_a, "results", token));
}

static void a_token_is_for_one_endpoint(void **state)
{
    (void)state;
    static const char *const others[] = {"result", "results2", "Results", "", "r"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(verifies(&only_a, others[i], known_token));
}

static void the_expiry_is_the_first_second_that_is_too_late(void **state)
{
    (void)state;
    struct bytes token = bytes_of_text(known_token);
    assert_true(verifies_at(&only_a, "results", token, INT64_MIN));
    assert_true(verifies_at(&only_a, "results", token, 0));
    assert_true(verifies_at(&only_a, "results", token, expiry_s - 1));
    assert_false(verifies_at(&only_a, "results", token, expiry_s));
    assert_false(verifies_at(&only_a, "results", token, expiry_s + 1));
    assert_false(verifies_at(&only_a, "results", token, INT64_MAX));
}

static void another_version_is_refused_though_it_is_signed(void **state)
{
    (void)state;
    struct error error;
    struct id run;
    assert_int_equal(
        run_token_verify(&only_a, "results", bytes_of_text(version_2_token), 0, &run, &error), -1);
    assert_int_equal(error.code, ERROR_UNAUTHORIZED);
    assert_non_null(strstr(error.message, "unknown version 2"));
}

static void the_first_key_signs_and_all_verify(void **state)
{
    (void)state;
    char from_a[RUN_TOKEN_TEXT_BYTES];
    char from_b[RUN_TOKEN_TEXT_BYTES];
    mint(&a_then_b, "results", from_a);
    mint(&b_then_a, "results", from_b);
    assert_string_not_equal(from_a, from_b);
    assert_true(verifies(&only_a, "results", from_a));
    assert_true(verifies(&only_b, "results", from_b));
    assert_true(verifies(&a_then_b, "results", from_a));
    assert_true(verifies(&a_then_b, "results", from_b));
    assert_true(verifies(&b_then_a, "results", from_a));
    assert_false(verifies(&only_b, "results", from_a));
    assert_false(verifies(&only_a, "results", from_b));
}

static void without_a_key_nothing_is_signed_and_nothing_believed(void **state)
{
    (void)state;
    struct config_secret empty[] = {{NULL, 0}, {NULL, 0}};
    const struct config_secrets none = {0};
    const struct config_secrets withheld = {empty, 2};
    const struct config_secrets *const missing[] = {&none, &withheld};
    struct id run = known_run();
    struct error error;
    for (size_t i = 0; i < 2; i++) {
        char token[RUN_TOKEN_TEXT_BYTES] = "untouched";
        assert_int_equal(run_token_mint(missing[i], "results", &run, expiry_s, token, &error), -1);
        assert_int_equal(error.code, ERROR_CONFIG);
        assert_string_equal(token, "untouched");
        assert_false(verifies(missing[i], "results", known_token));
    }
}

static void a_token_signed_with_an_empty_key_is_refused(void **state)
{
    (void)state;
    /* What a forger would make who hopes that a key is missing. */
    static const char forged[] =
        "AQGS8AASNHq8je8BI0VniasAAAAAa0nSALFKZ9qCxQdE8FjjFmPK_0bp37h0rdhcan7lNc0rRJSM";
    struct config_secret empty[] = {{NULL, 0}};
    const struct config_secrets withheld = {empty, 1};
    assert_false(verifies(&withheld, "results", forged));
}

static void every_failure_says_why_to_the_log_alone(void **state)
{
    (void)state;
    struct error error;
    struct id run;
    struct bytes token = bytes_of_text(known_token);
    assert_int_equal(run_token_verify(&only_a, "results", bytes_of_text(""), 0, &run, &error), -1);
    assert_non_null(strstr(error.message, "no run token"));
    assert_int_equal(run_token_verify(&only_a, "results", bytes_of_text("x"), 0, &run, &error), -1);
    assert_non_null(strstr(error.message, "malformed"));
    assert_int_equal(run_token_verify(&only_b, "results", token, 0, &run, &error), -1);
    assert_non_null(strstr(error.message, "not signed for this endpoint"));
    assert_int_equal(run_token_verify(&only_a, "results", token, expiry_s, &run, &error), -1);
    assert_non_null(strstr(error.message, "expired"));
    assert_null(strstr(error.message, known_token));
}

static void absurd_endpoints_and_expiries_are_refused(void **state)
{
    (void)state;
    char name[400];
    char token[RUN_TOKEN_TEXT_BYTES];
    struct id run = known_run();
    struct error error;
    memset(name, 'n', sizeof name);
    name[255] = '\0';
    mint(&only_a, name, token);
    assert_true(verifies(&only_a, name, token));
    name[255] = 'n';
    name[256] = '\0';
    assert_int_equal(run_token_mint(&only_a, name, &run, expiry_s, token, &error), -1);
    assert_false(verifies(&only_a, name, known_token));
    assert_int_equal(run_token_mint(&only_a, "results", &run, -1, token, &error), -1);
    assert_int_equal(error.code, ERROR_INVALID);
    assert_int_equal(run_token_mint(&only_a, "results", &run, INT64_MAX, token, &error), 0);
    assert_true(verifies(&only_a, "results", token));
    assert_int_equal(run_token_mint(&only_a, "results", &run, 0, token, &error), 0);
    assert_false(verifies_at(&only_a, "results", bytes_of_text(token), INT64_MIN));
}

static void expiry_is_the_longer_of_lifetime_and_deadline_plus_a_day(void **state)
{
    (void)state;
    const int64_t day_s = 24 * 60 * 60;
    const int64_t now_ms = INT64_C(1700000000000);
    assert_int_equal(run_token_expiry(now_ms, 7 * day_s * 1000, 0), 1700000000 + 7 * day_s);
    assert_int_equal(run_token_expiry(now_ms, 1000, now_ms + 1000), 1700000000 + 1 + day_s);
    assert_int_equal(
        run_token_expiry(now_ms, 7 * day_s * 1000, now_ms + 1000), 1700000000 + 7 * day_s);
    assert_int_equal(
        run_token_expiry(now_ms, 7 * day_s * 1000, now_ms + 6 * day_s * 1000 + 1000),
        1700000000 + 7 * day_s + 1);
}

static void expiry_is_rounded_up_and_does_not_overflow(void **state)
{
    (void)state;
    assert_int_equal(run_token_expiry(1, 1, 0), 1);
    assert_int_equal(run_token_expiry(1000, 1, 0), 2);
    assert_int_equal(run_token_expiry(1000, 1000, 0), 2);
    assert_int_equal(run_token_expiry(INT64_MAX, INT64_MAX, 0), INT64_MAX / 1000 + 1);
    assert_int_equal(run_token_expiry(0, 0, INT64_MAX), INT64_MAX / 1000 + 1);
}

static void a_url_is_put_together(void **state)
{
    (void)state;
    struct buffer url;
    buffer_init(&url, 200);
    assert_int_equal(run_token_url("https://h.example/in", "/callback", known_token, &url), 0);
    char expected[200];
    snprintf(expected, sizeof expected, "https://h.example/in/callback/%s", known_token);
    assert_string_equal(buffer_text(&url), expected);
    buffer_fini(&url);
    buffer_init(&url, 60);
    assert_int_equal(run_token_url("https://h.example/in", "/callback", known_token, &url), -1);
    buffer_fini(&url);
}

/* ---- keys made ready ---- */

static void ready_keys_verify_again_and_again(void **state)
{
    struct error error = {0};
    char by_a[RUN_TOKEN_TEXT_BYTES];
    char by_b[RUN_TOKEN_TEXT_BYTES];
    struct id known = known_run();
    (void)state;
    mint(&only_a, "results", by_a);
    mint(&only_b, "results", by_b);
    struct run_token_keys *keys = run_token_keys_new(&b_then_a, &error);
    assert_non_null(keys);
    for (int i = 0; i < 3; i++) {
        struct id run = {0};
        struct bytes forged = bytes_of_text(version_2_token);
        assert_int_equal(
            run_token_check(keys, "results", bytes_of_text(by_a), expiry_s - 1, &run, &error), 0);
        assert_true(id_equal(&run, &known));
        run = (struct id){0};
        assert_int_equal(
            run_token_check(keys, "results", bytes_of_text(by_b), expiry_s - 1, &run, &error), 0);
        assert_true(id_equal(&run, &known));
        assert_int_equal(run_token_check(keys, "other", bytes_of_text(by_a), 0, &run, &error), -1);
        assert_int_equal(error.code, ERROR_UNAUTHORIZED);
        assert_int_equal(run_token_check(keys, "results", forged, 0, &run, &error), -1);
        assert_int_equal(error.code, ERROR_UNAUTHORIZED);
    }
    run_token_keys_free(keys);
}

/* An empty key was not handed to this process: the others still verify. */
static void empty_keys_are_passed_over(void **state)
{
    struct error error = {0};
    struct config_secret mixed[] = {{NULL, 0}, items[0], {NULL, 0}, items[1]};
    struct config_secrets all = {mixed, 4};
    struct config_secrets empty = {mixed, 1};
    struct config_secrets none = {NULL, 0};
    const struct config_secrets *useless[] = {&empty, &none};
    char by_b[RUN_TOKEN_TEXT_BYTES];
    struct id run;
    (void)state;
    mint(&only_b, "results", by_b);
    struct run_token_keys *keys = run_token_keys_new(&all, &error);
    assert_non_null(keys);
    assert_int_equal(
        run_token_check(keys, "results", bytes_of_text(by_b), expiry_s - 1, &run, &error), 0);
    run_token_keys_free(keys);
    for (size_t i = 0; i < 2; i++) {
        keys = run_token_keys_new(useless[i], &error);
        assert_non_null(keys);
        assert_int_equal(
            run_token_check(keys, "results", bytes_of_text(by_b), expiry_s - 1, &run, &error), -1);
        assert_int_equal(error.code, ERROR_UNAUTHORIZED);
        run_token_keys_free(keys);
    }
    run_token_keys_free(NULL);
}

struct checker {
    pthread_t thread;
    const struct run_token_keys *keys;
    const char *token;
    int failures;
};

static void *check_many(void *argument)
{
    struct checker *checker = argument;
    for (int i = 0; i < 200; i++) {
        struct error error = {0};
        struct id run;
        checker->failures += run_token_check(
                                 checker->keys, "results", bytes_of_text(checker->token),
                                 expiry_s - 1, &run, &error) != 0;
    }
    return NULL;
}

static void threads_share_ready_keys(void **state)
{
    enum { THREADS = 8 };
    struct checker checkers[THREADS];
    struct error error = {0};
    char tokens[2][RUN_TOKEN_TEXT_BYTES];
    (void)state;
    mint(&only_a, "results", tokens[0]);
    mint(&only_b, "results", tokens[1]);
    struct run_token_keys *keys = run_token_keys_new(&a_then_b, &error);
    assert_non_null(keys);
    for (int i = 0; i < THREADS; i++) {
        checkers[i] = (struct checker){.keys = keys, .token = tokens[i % 2]};
        assert_int_equal(pthread_create(&checkers[i].thread, NULL, check_many, &checkers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(checkers[i].thread, NULL);
        assert_int_equal(checkers[i].failures, 0);
    }
    run_token_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layout_is_the_documented_one),
        cmocka_unit_test(every_single_bit_that_changes_is_refused),
        cmocka_unit_test(every_single_character_that_changes_is_refused),
        cmocka_unit_test(only_the_exact_length_is_taken),
        cmocka_unit_test(the_other_base64_is_refused),
        cmocka_unit_test(a_token_is_for_one_endpoint),
        cmocka_unit_test(the_expiry_is_the_first_second_that_is_too_late),
        cmocka_unit_test(another_version_is_refused_though_it_is_signed),
        cmocka_unit_test(the_first_key_signs_and_all_verify),
        cmocka_unit_test(without_a_key_nothing_is_signed_and_nothing_believed),
        cmocka_unit_test(a_token_signed_with_an_empty_key_is_refused),
        cmocka_unit_test(every_failure_says_why_to_the_log_alone),
        cmocka_unit_test(absurd_endpoints_and_expiries_are_refused),
        cmocka_unit_test(expiry_is_the_longer_of_lifetime_and_deadline_plus_a_day),
        cmocka_unit_test(expiry_is_rounded_up_and_does_not_overflow),
        cmocka_unit_test(a_url_is_put_together),
        cmocka_unit_test(ready_keys_verify_again_and_again),
        cmocka_unit_test(empty_keys_are_passed_over),
        cmocka_unit_test(threads_share_ready_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
