/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "locate.h"

static void assert_url(const char *address, bool tls, const char *expected)
{
    CLEANUP_FREE char *url = locate_url_of_address(address, tls);
    if (!expected) {
        assert_null(url);
        return;
    }
    assert_non_null(url);
    assert_string_equal(url, expected);
}

static void test_addresses_become_urls(void **state)
{
    (void)state;
    assert_url("127.0.0.1:8081", false, "http://127.0.0.1:8081");
    assert_url("[::1]:8081", true, "https://[::1]:8081");
    assert_url("0.0.0.0:80", false, "http://127.0.0.1:80");
    assert_url("[::]:80", false, "http://[::1]:80");
    assert_url("nothing", false, NULL);
    assert_url(":80", false, NULL);
}

static struct argument given[4];

static struct arguments arguments_of(size_t count)
{
    return (struct arguments){.items = given, .count = count};
}

static void test_the_command_line_comes_before_the_environment(void **state)
{
    (void)state;
    setenv("CALLBACKD_URL", "http://env:1", 1);
    setenv("CALLBACKD_CONFIG", "/env.json", 1);
    struct arguments none = arguments_of(0);
    assert_string_equal(locate_url(&none), "http://env:1");
    assert_string_equal(locate_config_path(&none), "/env.json");
    given[0] = (struct argument){OPTION_CONFIG, "/given.json"};
    struct arguments config = arguments_of(1);
    assert_null(locate_url(&config));
    assert_string_equal(locate_config_path(&config), "/given.json");
    given[1] = (struct argument){OPTION_URL, "http://given:1"};
    struct arguments both = arguments_of(2);
    assert_string_equal(locate_url(&both), "http://given:1");
    clear_environment();
    assert_null(locate_url(&none));
    assert_string_equal(locate_config_path(&none), "/etc/callbackd/callbackd.json");
}

static void test_token_of_a_file_is_its_first_line(void **state)
{
    (void)state;
    CLEANUP_FREE char *directory = make_directory();
    CLEANUP_FREE char *path = os_path_join(directory, "token");
    struct error error = {0};
    struct admin_target target;
    os_write_file_atomic(path, bytes_of_text("secret\r\n"), 0600, &error);
    given[0] = (struct argument){OPTION_URL, "http://127.0.0.1:1//"};
    given[1] = (struct argument){OPTION_TOKEN_FILE, path};
    struct arguments arguments = arguments_of(2);
    assert_int_equal(locate_by_url(&arguments, NULL, &target, &error), 0);
    assert_string_equal(target.url, "http://127.0.0.1:1");
    assert_string_equal(target.token, "secret");
    admin_target_fini(&target);
    unlink(path);
    rmdir(directory);
}

static void test_a_missing_token_is_said(void **state)
{
    (void)state;
    struct error error = {0};
    struct admin_target target;
    given[0] = (struct argument){OPTION_URL, "http://127.0.0.1:1"};
    struct arguments arguments = arguments_of(1);
    assert_int_equal(locate_by_url(&arguments, NULL, &target, &error), -1);
    assert_int_equal(error.code, ERROR_USAGE);
    assert_holds(error.message, "CALLBACKD_TOKEN");
}

static void test_a_given_token_replaces_the_configurations(void **state)
{
    (void)state;
    setenv("CALLBACKD_TOKEN", "from-environment", 1);
    struct arguments none = arguments_of(0);
    assert_true(locate_has_token(&none));
    /* The environment may be about another daemon than the one that was named. */
    given[0] = (struct argument){OPTION_CONFIG, "/given.json"};
    struct arguments config = arguments_of(1);
    assert_false(locate_has_token(&config));
    given[1] = (struct argument){OPTION_TOKEN_FILE, "/token"};
    struct arguments file = arguments_of(2);
    assert_true(locate_has_token(&file));
    clear_environment();
    assert_false(locate_has_token(&none));
}

static void test_what_is_no_url_is_refused(void **state)
{
    (void)state;
    struct error error = {0};
    struct admin_target target;
    given[0] = (struct argument){OPTION_URL, "localhost:8081"};
    struct arguments arguments = arguments_of(1);
    assert_int_equal(locate_by_url(&arguments, NULL, &target, &error), -1);
    assert_int_equal(error.code, ERROR_USAGE);
}

int main(void)
{
    clear_environment();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_become_urls),
        cmocka_unit_test(test_the_command_line_comes_before_the_environment),
        cmocka_unit_test(test_token_of_a_file_is_its_first_line),
        cmocka_unit_test(test_a_missing_token_is_said),
        cmocka_unit_test(test_a_given_token_replaces_the_configurations),
        cmocka_unit_test(test_what_is_no_url_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
