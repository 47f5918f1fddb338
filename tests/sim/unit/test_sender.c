/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "callbackd/clock.h"
#include "sender.h"

enum { ITEMS = 1000 };

struct item {
    struct desk *desk;
    int number;
    int64_t due_ms;
};

/* Where items report. */
struct desk {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int order[ITEMS]; /* under lock */
    int count;        /* under lock */
    int early;        /* under lock: before they were due, or without a client */
    struct item items[ITEMS];
};

static atomic_int dropped;

static void work(void *context, struct http_client *client, void *argument)
{
    struct item *item = argument;
    struct desk *desk = context;
    pthread_mutex_lock(&desk->lock);
    desk->early += !client || clock_monotonic_ms() < item->due_ms;
    desk->order[desk->count++] = item->number;
    pthread_cond_broadcast(&desk->changed);
    pthread_mutex_unlock(&desk->lock);
}

static void drop(void *argument)
{
    (void)argument;
    atomic_fetch_add(&dropped, 1);
}

static struct desk *desk_new(void)
{
    struct desk *desk = calloc(1, sizeof *desk);
    pthread_mutex_init(&desk->lock, NULL);
    pthread_cond_init(&desk->changed, NULL);
    atomic_store(&dropped, 0);
    return desk;
}

static void desk_free(struct desk *desk)
{
    pthread_mutex_destroy(&desk->lock);
    pthread_cond_destroy(&desk->changed);
    free(desk);
}

static void add(struct desk *desk, struct sender *sender, int number, int64_t due_ms)
{
    struct item *item = &desk->items[number];
    *item = (struct item){.desk = desk, .number = number, .due_ms = due_ms};
    assert_int_equal(sender_add(sender, due_ms, item), 0);
}

static void wait_for(struct desk *desk, int count)
{
    pthread_mutex_lock(&desk->lock);
    while (desk->count < count)
        pthread_cond_wait(&desk->changed, &desk->lock);
    pthread_mutex_unlock(&desk->lock);
}

static void one_thread_keeps_the_order_of_time_and_of_adding(void **state)
{
    (void)state;
    struct desk *desk = desk_new();
    struct sender *sender = sender_start(1, work, drop, desk, NULL);
    int64_t base_ms = clock_monotonic_ms() + 100;
    for (int i = 0; i < 300; i++) /* three at each time, added in another order */
        add(desk, sender, i, base_ms + i * 7 % 100);
    wait_for(desk, 300);
    assert_int_equal(desk->early, 0);
    for (int i = 1; i < 300; i++) {
        const struct item *before = &desk->items[desk->order[i - 1]];
        const struct item *item = &desk->items[desk->order[i]];
        assert_true(before->due_ms <= item->due_ms);
        if (before->due_ms == item->due_ms)
            assert_true(before->number < item->number);
    }
    sender_stop(sender);
    desk_free(desk);
}

static void many_threads_work_on_each_item_once(void **state)
{
    (void)state;
    struct desk *desk = desk_new();
    struct sender *sender = sender_start(16, work, drop, desk, NULL);
    int64_t base_ms = clock_monotonic_ms();
    for (int i = 0; i < ITEMS; i++)
        add(desk, sender, i, base_ms + i % 50);
    wait_for(desk, ITEMS);
    sender_stop(sender);
    assert_int_equal(desk->early, 0);
    char seen[ITEMS] = {0};
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(seen[desk->order[i]]++, 0);
    assert_int_equal(atomic_load(&dropped), 0);
    desk_free(desk);
}

static void what_is_not_due_at_the_end_is_dropped(void **state)
{
    (void)state;
    struct desk *desk = desk_new();
    struct sender *sender = sender_start(4, work, drop, desk, NULL);
    for (int i = 0; i < 10; i++)
        add(desk, sender, i, clock_monotonic_ms() + 3600000);
    add(desk, sender, 10, 0);
    wait_for(desk, 1);
    sender_stop(sender);
    assert_int_equal(desk->count, 1);
    assert_int_equal(desk->order[0], 10);
    assert_int_equal(atomic_load(&dropped), 10);
    sender_stop(NULL);
    desk_free(desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_keeps_the_order_of_time_and_of_adding),
        cmocka_unit_test(many_threads_work_on_each_item_once),
        cmocka_unit_test(what_is_not_due_at_the_end_is_dropped),
    };
    if (http_client_init(NULL) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    http_client_cleanup();
    return failed;
}
