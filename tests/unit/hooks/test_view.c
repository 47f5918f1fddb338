/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "view.h"

struct fixture {
    int wake_fd;
    struct hook_view *view;
    struct running *running;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fixture.view = hook_view_new(fixture.wake_fd, NULL);
    fixture.running = running_new("notify");
    assert_non_null(fixture.view);
    assert_non_null(fixture.running);
    fixture.running->job = id_new();
    fixture.running->number = 3;
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    running_free(fixture->running);
    hook_view_free(fixture->view);
    close(fixture->wake_fd);
    return 0;
}

struct asker {
    struct hook_view *view;
    struct id job;
    struct hook_output output;
    bool found;
};

static void *ask(void *context)
{
    struct asker *asker = context;
    asker->found = hook_view_ask(asker->view, &asker->job, &asker->output);
    return NULL;
}

/* Asks on another thread, as the admin does, and answers once the owner was woken. */
static void ask_and_answer(struct fixture *fixture, struct asker *asker)
{
    struct pollfd woken = {.fd = fixture->wake_fd, .events = POLLIN};
    uint64_t count;
    pthread_t thread;
    asker->view = fixture->view;
    assert_int_equal(pthread_create(&thread, NULL, ask, asker), 0);
    assert_int_equal(poll(&woken, 1, -1), 1);
    assert_int_equal(read(fixture->wake_fd, &count, sizeof(count)), sizeof(count));
    view_answer(fixture->view, NULL, fixture->running);
    pthread_join(thread, NULL);
}

static void what_was_printed_so_far_is_seen(void **state)
{
    struct fixture *fixture = *state;
    struct asker asker = {.job = fixture->running->job};
    tail_append(&fixture->running->tails[0], bytes_of_text("so far"));
    tail_append(&fixture->running->tails[1], bytes_of_text("aside"));
    ask_and_answer(fixture, &asker);
    assert_true(asker.found);
    assert_int_equal(asker.output.attempt, 3);
    assert_string_equal(buffer_text(&asker.output.output), "so far");
    assert_string_equal(buffer_text(&asker.output.errors), "aside");
    assert_false(asker.output.truncated);
    hook_output_fini(&asker.output);
}

static void a_job_that_does_not_run_is_not_found(void **state)
{
    struct asker asker = {.job = id_new()};
    ask_and_answer(*state, &asker);
    assert_false(asker.found);
    hook_output_fini(&asker.output);
}

static void nobody_waits_for_an_engine_that_has_stopped(void **state)
{
    struct fixture *fixture = *state;
    struct hook_output output;
    view_close(fixture->view);
    assert_false(hook_view_ask(fixture->view, &fixture->running->job, &output));
    hook_output_fini(&output);
}

static void an_engine_without_a_view_is_asked_by_nobody(void **state)
{
    struct fixture *fixture = *state;
    view_answer(NULL, fixture->running, NULL);
    view_close(NULL);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_was_printed_so_far_is_seen),
        CASE(a_job_that_does_not_run_is_not_found),
        CASE(nobody_waits_for_an_engine_that_has_stopped),
        CASE(an_engine_without_a_view_is_asked_by_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
