/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "callbackd/text.h"
#include "handover.h"

struct line {
    int ends[2];
    struct config *config;
};

static struct config *load_config(void)
{
    static const char text[] =
        "{\"listen\":[{\"address\":\"127.0.0.1:0\"}],"
        "\"admin\":{\"address\":\"127.0.0.1:0\",\"token_file\":\"env:TEST_HANDOVER_TOKEN\"},"
        "\"store\":{\"directory\":\"store\"},"
        "\"endpoints\":[{\"name\":\"in\",\"path\":\"/in\",\"kind\":\"json\",\"verify\":\"none\"}]}";
    char path[] = "/tmp/callbackd-handover-XXXXXX";
    struct config_problems problems = {0};
    setenv("TEST_HANDOVER_TOKEN", "0123456789012345678901234567890123456789", 1);
    CLEANUP_FD int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    struct config *config = config_load(path, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_error("%s: %s\n", problems.items[i].key, problems.items[i].text);
    config_problems_free(&problems);
    unlink(path);
    assert_non_null(config);
    return config;
}

static struct line make_line(void)
{
    struct line line = {.config = load_config()};
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, line.ends), 0);
    return line;
}

static void end_line(struct line *line)
{
    os_close(line->ends[0]);
    os_close(line->ends[1]);
    config_free(line->config);
}

static void words_come_through_and_silence_is_none(void **state)
{
    (void)state;
    struct line line = make_line();
    struct error error = {0};
    assert_int_equal(handover_listen(line.ends[1], NULL), HANDOVER_NONE);
    assert_int_equal(handover_say(line.ends[0], HANDOVER_READY, &error), 0);
    assert_int_equal(handover_say(line.ends[0], HANDOVER_DRAIN, &error), 0);
    assert_int_equal(handover_say(line.ends[0], HANDOVER_STOP, &error), 0);
    assert_int_equal(handover_listen(line.ends[1], NULL), HANDOVER_READY);
    assert_int_equal(handover_listen(line.ends[1], NULL), HANDOVER_DRAIN);
    assert_int_equal(handover_listen(line.ends[1], NULL), HANDOVER_STOP);
    os_close(line.ends[0]);
    line.ends[0] = -1;
    assert_int_equal(handover_listen(line.ends[1], NULL), HANDOVER_GONE);
    end_line(&line);
}

static void a_reload_brings_configuration_and_public_url(void **state)
{
    (void)state;
    struct line line = make_line();
    struct error error = {0};
    struct handover_reload reload = {0};
    assert_int_equal(
        handover_say_reload(
            line.ends[0], line.config, CONFIG_ROLE_WORKER, "http://127.0.0.1:4711", &error),
        0);
    assert_int_equal(handover_listen(line.ends[1], &reload), HANDOVER_RELOAD);
    assert_string_equal(reload.public_url, "http://127.0.0.1:4711");
    assert_string_equal(reload.config->endpoints[0].name, "in");
    handover_reload_fini(&reload);
    end_line(&line);
}

static void what_a_reload_brought_is_taken_in_the_place_of_the_old(void **state)
{
    (void)state;
    struct line line = make_line();
    struct error error = {0};
    struct handover handover = {.metrics_fd = -1, .wake_fd = -1, .lock_fd = -1, .admin = -1};
    for (int i = 0; i < 2; i++) {
        struct handover_reload reload = {0};
        assert_int_equal(
            handover_say_reload(
                line.ends[0], line.config, CONFIG_ROLE_WORKER, i == 0 ? "http://a" : "http://b",
                &error),
            0);
        assert_int_equal(handover_listen(line.ends[1], &reload), HANDOVER_RELOAD);
        handover_take(&handover, &reload);
        assert_null(reload.config);
        assert_null(reload.public_url);
    }
    assert_string_equal(handover.public_url, "http://b");
    assert_string_equal(handover.config->endpoints[0].name, "in");
    handover_fini(&handover);
    end_line(&line);
}

static void who_takes_no_configuration_does_not_look_at_one(void **state)
{
    (void)state;
    struct line line = make_line();
    struct error error = {0};
    assert_int_equal(
        handover_say_reload(line.ends[1], line.config, CONFIG_ROLE_WORKER, "", &error), 0);
    assert_int_equal(handover_listen(line.ends[0], NULL), HANDOVER_NONE);
    end_line(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_come_through_and_silence_is_none),
        cmocka_unit_test(a_reload_brings_configuration_and_public_url),
        cmocka_unit_test(what_a_reload_brought_is_taken_in_the_place_of_the_old),
        cmocka_unit_test(who_takes_no_configuration_does_not_look_at_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
