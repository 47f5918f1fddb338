/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "webhook_signature.h"

/* The example of the Standard Webhooks' reference implementations. */
#define KEY "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define TIME "1614265330"
#define BODY "{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

static void expect(struct config_secret *items, size_t count, const char *expected)
{
    const struct config_secrets secrets = {items, count};
    struct buffer out;
    struct error error;
    buffer_init(&out, 4096);
    if (webhook_sign(&secrets, ID, TIME, bytes_of_text(BODY), &out, &error) != 0)
        fail_msg("%s", error.message);
    assert_string_equal(buffer_text(&out), expected);
    buffer_fini(&out);
}

static struct config_secret secret(const char *text)
{
    return (struct config_secret){(unsigned char *)text, strlen(text)};
}

static void the_published_example_comes_out(void **state)
{
    (void)state;
    struct config_secret items[] = {secret(KEY)};
    expect(items, 1, SIGNATURE);
    items[0] = secret(&KEY[strlen("whsec_")]);
    expect(items, 1, SIGNATURE);
}

static void every_secret_signs(void **state)
{
    (void)state;
    struct config_secret items[] = {secret(KEY), secret(KEY)};
    expect(items, 2, SIGNATURE " " SIGNATURE);
    expect(items, 0, "");
}

static void a_body_may_be_empty_and_hold_anything(void **state)
{
    (void)state;
    struct config_secret items[] = {secret(KEY)};
    const struct config_secrets secrets = {items, 1};
    struct buffer a;
    struct buffer b;
    buffer_init(&a, 4096);
    buffer_init(&b, 4096);
    assert_int_equal(webhook_sign(&secrets, ID, TIME, bytes_of(NULL, 0), &a, NULL), 0);
    assert_int_equal(webhook_sign(&secrets, ID, TIME, bytes_of("\0", 1), &b, NULL), 0);
    assert_int_equal(a.length, strlen(SIGNATURE));
    assert_string_not_equal(buffer_text(&a), buffer_text(&b));
    buffer_fini(&a);
    buffer_fini(&b);
}

static void what_is_no_key_is_refused(void **state)
{
    (void)state;
    struct config_secret items[] = {secret("whsec_?")};
    const struct config_secrets secrets = {items, 1};
    struct error error;
    struct buffer out;
    buffer_init(&out, 4096);
    assert_int_equal(webhook_sign(&secrets, ID, TIME, bytes_of_text(BODY), &out, &error), -1);
    assert_int_equal(error.code, ERROR_CONFIG);
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_example_comes_out),
        cmocka_unit_test(every_secret_signs),
        cmocka_unit_test(a_body_may_be_empty_and_hold_anything),
        cmocka_unit_test(what_is_no_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
