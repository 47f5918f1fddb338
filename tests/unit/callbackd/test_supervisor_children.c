/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "callbackd/clock.h"
#include "supervisor_private.h"

/* Slots are reused, so a younger child may stand before an older one. */
static struct supervisor three_receivers(void)
{
    struct supervisor supervisor = {0};
    for (int i = 0; i < 3; i++)
        supervisor.children[i] = (struct child){.role = CHILD_RECEIVER, .pid = 100 + i};
    supervisor.children[0].generation = 3;
    supervisor.children[1].generation = 1;
    supervisor.children[2].generation = 2;
    supervisor.children[3] = (struct child){.role = CHILD_WORKER, .pid = 103, .generation = 0};
    return supervisor;
}

static void a_ready_receiver_replaces_only_those_before_it(void **state)
{
    (void)state;
    struct supervisor supervisor = three_receivers();
    assert_true(supervisor_is_replaced(&supervisor, 1, 2));
    assert_false(supervisor_is_replaced(&supervisor, 2, 2));
    assert_false(supervisor_is_replaced(&supervisor, 0, 2));
    assert_false(supervisor_is_replaced(&supervisor, 3, 2));
}

static void the_newest_replaces_one_that_is_not_ready_yet(void **state)
{
    (void)state;
    struct supervisor supervisor = three_receivers();
    assert_true(supervisor_is_replaced(&supervisor, 1, 0));
    assert_true(supervisor_is_replaced(&supervisor, 2, 0));
}

static void one_that_is_leaving_replaces_nobody(void **state)
{
    (void)state;
    struct supervisor supervisor = three_receivers();
    supervisor.children[2].leaving = true;
    for (int i = 0; i < CHILDREN_MAX; i++)
        assert_false(supervisor_is_replaced(&supervisor, i, 2));
}

static void a_worker_replaces_nobody(void **state)
{
    (void)state;
    struct supervisor supervisor = three_receivers();
    supervisor.children[3].generation = 4;
    for (int i = 0; i < CHILDREN_MAX; i++)
        assert_false(supervisor_is_replaced(&supervisor, i, 3));
}

static void connect_child(struct child *child, int *other_end_out)
{
    int ends[2];
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    child->control_fd = ends[0];
    *other_end_out = ends[1];
}

/* Its limits are those that it was started with, whatever a reload has made of them. */
static void each_drains_for_as_long_as_its_own_configuration_says(void **state)
{
    (void)state;
    static struct config config = {.limits = {.idle_timeout_ms = 1, .request_timeout_ms = 1}};
    struct supervisor supervisor = three_receivers();
    struct error error = {0};
    int other_ends[3];
    supervisor.config = &config;
    for (int i = 0; i < 3; i++)
        connect_child(&supervisor.children[i], &other_ends[i]);
    supervisor.children[1].drain_ms = 85000;
    supervisor.children[2].drain_ms = 10000;
    int64_t now_ms = clock_monotonic_ms();
    assert_int_equal(handover_say(other_ends[0], HANDOVER_READY, &error), 0);
    supervisor_hear(&supervisor, &supervisor.children[0]);
    assert_true(supervisor.children[0].ready);
    assert_int_equal(supervisor.children[0].leave_until_ms, 0);
    assert_in_range(supervisor.children[1].leave_until_ms, now_ms + 85000, now_ms + 145000);
    assert_in_range(supervisor.children[2].leave_until_ms, now_ms + 10000, now_ms + 70000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            handover_listen(other_ends[i], NULL), i == 0 ? HANDOVER_NONE : HANDOVER_DRAIN);
        close(supervisor.children[i].control_fd);
        close(other_ends[i]);
    }
}

/* Of several reloads in a row each may have removed some. */
static void removed_addresses_are_served_until_the_newest_is_ready(void **state)
{
    (void)state;
    struct supervisor supervisor = three_receivers();
    struct error error = {0};
    int other_ends[3];
    int removed = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < 3; i++)
        connect_child(&supervisor.children[i], &other_ends[i]);
    supervisor.listeners = (struct listeners){.fds = &removed, .leaving = 1, .admin = -1};
    for (int i = 2; i >= 0; i -= 2) {
        assert_true(removed >= 0);
        assert_int_equal(handover_say(other_ends[i], HANDOVER_READY, &error), 0);
        supervisor_hear(&supervisor, &supervisor.children[i]);
    }
    assert_int_equal(removed, -1);
    for (int i = 0; i < 3; i++) {
        close(supervisor.children[i].control_fd);
        close(other_ends[i]);
    }
}

static void a_reload_leaves_a_slot_for_who_dies(void **state)
{
    (void)state;
    struct supervisor supervisor = {0};
    for (int i = 0; i < CHILDREN_MAX - 2; i++) {
        assert_true(supervisor_may_reload(&supervisor));
        supervisor.children[1 + i] = (struct child){.role = CHILD_RECEIVER, .pid = 100 + i};
    }
    assert_false(supervisor_may_reload(&supervisor));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reload_leaves_a_slot_for_who_dies),
        cmocka_unit_test(removed_addresses_are_served_until_the_newest_is_ready),
        cmocka_unit_test(each_drains_for_as_long_as_its_own_configuration_says),
        cmocka_unit_test(a_ready_receiver_replaces_only_those_before_it),
        cmocka_unit_test(the_newest_replaces_one_that_is_not_ready_yet),
        cmocka_unit_test(one_that_is_leaving_replaces_nobody),
        cmocka_unit_test(a_worker_replaces_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
