/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbackd/verify.h"

static unsigned char key[] = "0123456789abcdef";
static struct config_secret items[] = {{key, sizeof key - 1}};
static char run_token_name[] = "run-token";
static char unknown_name[] = "no-such-scheme";
static char endpoint_name[] = "results";
static struct config_verify run_token[] = {{.scheme = run_token_name}};
static struct config_verify unknown[] = {{.scheme = unknown_name}};
static const struct config config = {.run_token = {.key = {items, 1}}};
static const struct config_endpoint signed_endpoint = {
    .name = endpoint_name, .verify = run_token, .verify_count = 1};
static const struct config_endpoint open_endpoint = {.name = endpoint_name};
static const struct config_endpoint unknown_endpoint = {
    .name = endpoint_name, .verify = unknown, .verify_count = 1};

static const int64_t now_ms = INT64_C(1700000000999);

static const char *no_header(const void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

static struct verify_request request_for(const char *rest)
{
    return (struct verify_request){
        .path_rest = rest, .header = no_header, .client_address = "192.0.2.1", .now_ms = now_ms};
}

/* "/<token>" that ends at `expires_at_s`. */
static struct id mint_rest(int64_t expires_at_s, char out[static RUN_TOKEN_TEXT_BYTES + 1])
{
    struct error error;
    struct id run = id_new();
    out[0] = '/';
    assert_int_equal(
        run_token_mint(&config.run_token.key, endpoint_name, &run, expires_at_s, out + 1, &error),
        0);
    return run;
}

static struct verifier *make(const struct config_endpoint *endpoint)
{
    struct error error;
    struct verifier *verifier = verifier_new(&config, endpoint, &error);
    assert_non_null(verifier);
    return verifier;
}

static void an_endpoint_without_schemes_believes_everybody(void **state)
{
    (void)state;
    struct verifier *verifier = make(&open_endpoint);
    struct verify_request request = request_for("");
    struct verify_outcome outcome;
    struct error error;
    memset(&outcome, 0x5a, sizeof outcome);
    assert_false(verifier_uses_path(verifier));
    assert_int_equal(verifier_check_head(verifier, &request, &outcome, &error), 0);
    assert_int_equal(
        verifier_check_body(verifier, &request, bytes_of_text("{}"), &outcome, &error), 0);
    assert_string_equal(outcome.verified_by, "none");
    assert_string_equal(outcome.delivery_id, "");
    assert_false(outcome.has_run);
    verifier_free(verifier);
}

static void a_good_token_names_the_run(void **state)
{
    (void)state;
    struct verifier *verifier = make(&signed_endpoint);
    char rest[RUN_TOKEN_TEXT_BYTES + 1];
    struct id run = mint_rest(now_ms / 1000 + 1, rest);
    struct verify_request request = request_for(rest);
    struct verify_outcome outcome;
    struct error error;
    assert_true(verifier_uses_path(verifier));
    assert_int_equal(verifier_check_head(verifier, &request, &outcome, &error), 0);
    assert_int_equal(
        verifier_check_body(verifier, &request, bytes_of_text("{}"), &outcome, &error), 0);
    assert_true(outcome.has_run);
    assert_true(id_equal(&outcome.run, &run));
    assert_string_equal(outcome.verified_by, "run-token");
    verifier_free(verifier);
}

static void a_bad_token_is_refused_and_leaves_the_outcome_alone(void **state)
{
    (void)state;
    struct verifier *verifier = make(&signed_endpoint);
    char good[RUN_TOKEN_TEXT_BYTES + 1];
    char longer[RUN_TOKEN_TEXT_BYTES + 8];
    char deeper[RUN_TOKEN_TEXT_BYTES + 8];
    char stale[RUN_TOKEN_TEXT_BYTES + 1];
    mint_rest(now_ms / 1000 + 1, good);
    mint_rest(now_ms / 1000, stale);
    snprintf(longer, sizeof longer, "%s/", good);
    snprintf(deeper, sizeof deeper, "/%s", good);
    const char *const bad[] = {NULL, "", "/", "//", "/x", stale, longer, deeper};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct verify_request request = request_for(bad[i]);
        struct verify_outcome outcome = {.delivery_id = "before"};
        struct error error;
        assert_int_equal(verifier_check_head(verifier, &request, &outcome, &error), -1);
        assert_int_equal(error.code, ERROR_UNAUTHORIZED);
        assert_memory_equal(error.message, "run-token: ", 11);
        assert_string_equal(outcome.delivery_id, "before");
        assert_false(outcome.has_run);
    }
    verifier_free(verifier);
}

static void every_scheme_must_hold_and_all_are_named(void **state)
{
    (void)state;
    struct config_verify twice[] = {run_token[0], run_token[0]};
    const struct config_endpoint endpoint = {
        .name = endpoint_name, .verify = twice, .verify_count = 2};
    struct verifier *verifier = make(&endpoint);
    char rest[RUN_TOKEN_TEXT_BYTES + 1];
    mint_rest(now_ms / 1000 + 1, rest);
    struct verify_request request = request_for(rest);
    struct verify_outcome outcome;
    struct error error;
    assert_int_equal(verifier_check_head(verifier, &request, &outcome, &error), 0);
    assert_string_equal(outcome.verified_by, "run-token+run-token");
    verifier_free(verifier);
}

static void a_second_scheme_that_does_not_exist_undoes_the_first(void **state)
{
    (void)state;
    struct config_verify both[] = {run_token[0], unknown[0]};
    const struct config_endpoint endpoint = {
        .name = endpoint_name, .verify = both, .verify_count = 2};
    struct error error;
    assert_null(verifier_new(&config, &endpoint, &error));
    assert_int_equal(error.code, ERROR_CONFIG);
}

static void a_scheme_that_does_not_exist_is_an_error_of_the_configuration(void **state)
{
    (void)state;
    struct error error;
    assert_null(verifier_new(&config, &unknown_endpoint, &error));
    assert_int_equal(error.code, ERROR_CONFIG);
    assert_non_null(strstr(error.message, "no-such-scheme"));
    assert_non_null(strstr(error.message, "results"));
}

static void nothing_is_freed_without_harm(void **state)
{
    (void)state;
    verifier_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endpoint_without_schemes_believes_everybody),
        cmocka_unit_test(a_good_token_names_the_run),
        cmocka_unit_test(a_bad_token_is_refused_and_leaves_the_outcome_alone),
        cmocka_unit_test(every_scheme_must_hold_and_all_are_named),
        cmocka_unit_test(a_second_scheme_that_does_not_exist_undoes_the_first),
        cmocka_unit_test(a_scheme_that_does_not_exist_is_an_error_of_the_configuration),
        cmocka_unit_test(nothing_is_freed_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
