/* SPDX-License-Identifier: MIT */
/* The schemes that sign nothing: who knows a secret, has a certificate, or comes from an address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <strings.h>

#include "schemes.h"

struct caller {
    const char *header; /* name */
    const char *value;
    const char *address;
    const char *subject; /* NULL: no certificate */
};

static const char fingerprint[] =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static const char *header_of(const void *context, const char *name)
{
    const struct caller *caller = context;
    return caller->header && strcasecmp(caller->header, name) == 0 ? caller->value : NULL;
}

static bool certificate_of(
    const void *context, struct buffer *subject,
    char fingerprint_out[static VERIFY_FINGERPRINT_BYTES])
{
    const struct caller *caller = context;
    if (!caller->subject)
        return false;
    memcpy(fingerprint_out, fingerprint, sizeof fingerprint);
    return buffer_append_text(subject, caller->subject) == 0;
}

static char *own(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* ERROR_NONE: taken. */
static enum error_code verdict(const struct config_verify *options, const struct caller *caller)
{
    struct config_verify entry = *options;
    struct config config = {0};
    struct config_endpoint endpoint = {
        .name = own("in"), .path = own("/in"), .verify = &entry, .verify_count = 1};
    struct verify_outcome outcome;
    struct error error = {0};
    const struct verify_request request = {
        .path_rest = "",
        .path = "/in",
        .header = header_of,
        .certificate = certificate_of,
        .context = caller,
        .client_address = caller->address,
    };
    struct verifier *verifier = verifier_new(&config, &endpoint, &error);
    assert_non_null(verifier);
    bool taken = verifier_check_head(verifier, &request, &outcome, &error) == 0 &&
                 verifier_check_body(verifier, &request, bytes_of("{}", 2), &outcome, &error) == 0;
    if (taken)
        assert_string_equal(outcome.verified_by, options->scheme);
    verifier_free(verifier);
    return taken ? ERROR_NONE : error.code;
}

static unsigned char secret_a[] = "the secret:one";
static unsigned char secret_b[] = "another:one";
static struct config_secret secrets[] = {
    {secret_a, sizeof secret_a - 1}, {secret_b, sizeof secret_b - 1}, {NULL, 0}};

static struct config_verify options_for(const char *scheme)
{
    return (struct config_verify){.scheme = own(scheme), .secret = {secrets, 3}};
}

static void expect_values(
    const struct config_verify *options, const char *header, const char *const *values,
    size_t count, enum error_code expected)
{
    for (size_t i = 0; i < count; i++) {
        const struct caller caller = {.header = header, .value = values[i]};
        enum error_code found = verdict(options, &caller);
        if (found != expected)
            fail_msg("%s: \"%s\" gives %d", options->scheme, values[i], (int)found);
    }
}

#define EXPECT(options, header, expected, ...)                                                     \
    do {                                                                                           \
        static const char *const values[] = {__VA_ARGS__};                                         \
        expect_values(options, header, values, sizeof values / sizeof values[0], expected);        \
    } while (0)

static void a_bearer_knows_a_secret(void **state)
{
    (void)state;
    struct config_verify options = options_for("bearer");
    EXPECT(
        &options, "Authorization", ERROR_NONE, "Bearer the secret:one", "bearer another:one",
        "BEARER   the secret:one");
    EXPECT(
        &options, "Authorization", ERROR_UNAUTHORIZED, "", "Bearer", "Bearer ", "the secret:one",
        "Bearer the secret:on", "Bearer the secret:one ", "Bearer The secret:one",
        "Basic the secret:one", "Bearer\tthe secret:one", "Bearer: the secret:one");
    EXPECT(&options, "X-Other", ERROR_UNAUTHORIZED, "Bearer the secret:one");
    options.header = own("X-Api-Key");
    EXPECT(&options, "x-api-key", ERROR_NONE, "the secret:one");
    EXPECT(&options, "X-Api-Key", ERROR_UNAUTHORIZED, "Bearer the secret:one", "");
}

static void basic_is_a_name_and_a_password(void **state)
{
    (void)state;
    const struct config_verify options = options_for("basic");
    EXPECT(
        &options, "Authorization", ERROR_NONE,
        "Basic dGhlIHNlY3JldDpvbmU=", "basic  YW5vdGhlcjpvbmU=");
    EXPECT(
        &options, "Authorization", ERROR_UNAUTHORIZED, "", "Basic", "Basic ",
        "dGhlIHNlY3JldDpvbmU=", "Basic dGhlIHNlY3JldDpvbmU", "Basic dGhlIHNlY3JldDpvbmUA",
        "Basic dGhlIHNlY3JldDpvbmV=", "Basic the secret:one",
        "Bearer dGhlIHNlY3JldDpvbmU=", "Basic Og==");
}

static void gitlab_sends_the_secret_itself(void **state)
{
    (void)state;
    const struct config_verify options = options_for("gitlab");
    EXPECT(&options, "X-Gitlab-Token", ERROR_NONE, "the secret:one", "another:one");
    EXPECT(
        &options, "X-Gitlab-Token", ERROR_UNAUTHORIZED, "", "the secret", "the secret:one2",
        "Bearer the secret:one");
    EXPECT(&options, "Authorization", ERROR_UNAUTHORIZED, "the secret:one");
}

static void a_secret_that_was_not_handed_over_is_none(void **state)
{
    (void)state;
    struct config_verify options = options_for("gitlab");
    options.secret = (struct config_secrets){secrets + 2, 1};
    EXPECT(&options, "X-Gitlab-Token", ERROR_UNAUTHORIZED, "", " ", "the secret:one");
}

static void an_address_is_in_a_network(void **state)
{
    (void)state;
    struct config_network networks[2];
    assert_true(config_parse_network("192.0.2.0/24", &networks[0]));
    assert_true(config_parse_network("2001:db8::/32", &networks[1]));
    struct config_verify options = {
        .scheme = own("ip-allow"), .networks = {.networks = networks, .count = 2}};
    static const char *const good[] = {
        "192.0.2.0", "192.0.2.255", "2001:db8::1", "::ffff:192.0.2.7"};
    static const char *const bad[] = {"192.0.3.0", "2001:db9::1", "unix", "unknown",
                                      "",          "192.0.2.1x",  NULL};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(verdict(&options, &(struct caller){.address = good[i]}), ERROR_NONE);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(verdict(&options, &(struct caller){.address = bad[i]}), ERROR_FORBIDDEN);
    options.networks.unix_sockets = true;
    assert_int_equal(verdict(&options, &(struct caller){.address = "unix"}), ERROR_NONE);
}

static void a_certificate_is_known_by_subject_or_fingerprint(void **state)
{
    (void)state;
    char *subjects[] = {own("CN=one"), own("CN=sender,O=Example"), NULL};
    char *fingerprints[] = {own(fingerprint), NULL};
    char *others[] = {
        own("ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"), NULL};
    const struct caller sender = {.subject = "CN=sender,O=Example"};
    const struct caller other = {.subject = "CN=sender,O=Example,C=NL"};
    const struct caller nobody = {.subject = NULL};
    struct config_verify options = {.scheme = own("client-certificate"), .subjects = subjects};
    assert_int_equal(verdict(&options, &sender), ERROR_NONE);
    assert_int_equal(verdict(&options, &other), ERROR_UNAUTHORIZED);
    assert_int_equal(verdict(&options, &nobody), ERROR_UNAUTHORIZED);
    options.fingerprints = fingerprints;
    assert_int_equal(verdict(&options, &other), ERROR_NONE);
    assert_int_equal(verdict(&options, &nobody), ERROR_UNAUTHORIZED);
    options.subjects = NULL;
    options.fingerprints = others;
    assert_int_equal(verdict(&options, &sender), ERROR_UNAUTHORIZED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bearer_knows_a_secret),
        cmocka_unit_test(basic_is_a_name_and_a_password),
        cmocka_unit_test(gitlab_sends_the_secret_itself),
        cmocka_unit_test(a_secret_that_was_not_handed_over_is_none),
        cmocka_unit_test(an_address_is_in_a_network),
        cmocka_unit_test(a_certificate_is_known_by_subject_or_fingerprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
