/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/id.h"

static int64_t id_ms(const struct id *id)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id->bytes[i];
    return ms;
}

static void a_new_id_is_of_version_7(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct id id = id_new();
        assert_int_equal(id.bytes[6] >> 4, 7);
        assert_int_equal(id.bytes[8] >> 6, 2);
    }
}

static void it_holds_the_time_it_was_made(void **state)
{
    (void)state;
    int64_t before = clock_wall_ms();
    struct id id = id_new();
    int64_t after = clock_wall_ms();
    assert_true(id_ms(&id) >= before && id_ms(&id) <= after);
}

static void the_fraction_of_the_millisecond_orders_ids_within_it(void **state)
{
    (void)state;
    struct id last = id_new();
    for (int i = 0; i < 10000; i++) {
        struct id id = id_new();
        assert_true(memcmp(id.bytes, last.bytes, 8) >= 0);
        last = id;
    }
}

static void text_orders_as_bytes_do(void **state)
{
    (void)state;
    struct id a = {{0x01, 0x9a}};
    struct id b = {{0x01, 0xa0}};
    char a_text[ID_TEXT_BYTES];
    char b_text[ID_TEXT_BYTES];
    id_format(&a, a_text);
    id_format(&b, b_text);
    assert_true(strcmp(a_text, b_text) < 0);
}

static void formats_in_five_groups(void **state)
{
    (void)state;
    struct id id = {
        {0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb0, 0x7c, 0xc3, 0x98, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39,
         0x8f}};
    char text[ID_TEXT_BYTES];
    id_format(&id, text);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

static void parses_what_it_formats(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct id id = id_new();
        struct id back;
        char text[ID_TEXT_BYTES];
        id_format(&id, text);
        assert_true(id_parse(bytes_of_text(text), &back));
        assert_true(id_equal(&id, &back));
    }
}

static void parses_any_version(void **state)
{
    (void)state;
    struct id id;
    assert_true(id_parse(bytes_of_text("00000000-0000-0000-0000-000000000000"), &id));
    assert_true(id_parse(bytes_of_text("c232ab00-9414-41ec-b3c8-9f6bdeced846"), &id));
}

static void refuses_other_texts_and_leaves_the_id(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e279b0-7cc3-98c4-dc0c0c07398f-",
        "017f22e2x79b0-7cc3-98c4-dc0c0c07398f",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
        "017f22e2-79b0-7cc3-98c4-dc0c0c0739-f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07 98f",
    };
    const struct id before = id_new();
    struct id id = before;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(id_parse(bytes_of_text(bad[i]), &id));
    assert_false(id_parse(bytes_of(NULL, 0), &id));
    assert_false(id_parse(bytes_of("017f22e2-79b0-7cc3-98c4-dc0c0c0739\0f", 36), &id));
    assert_true(id_equal(&id, &before));
}

enum { IDS_EACH = 2000, THREADS = 4 };

static void *make_ids(void *argument)
{
    struct id *ids = argument;
    for (int i = 0; i < IDS_EACH; i++)
        ids[i] = id_new();
    return NULL;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct id));
}

static void threads_never_make_the_same_id(void **state)
{
    (void)state;
    static struct id ids[THREADS * IDS_EACH];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_ids, ids + i * IDS_EACH), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    qsort(ids, THREADS * IDS_EACH, sizeof(ids[0]), compare_ids);
    for (int i = 1; i < THREADS * IDS_EACH; i++)
        assert_false(id_equal(&ids[i - 1], &ids[i]));
}

/* What is random in an id; the rest is the time. */
enum { RANDOM_AT = 9 };

static void a_forked_child_has_other_random_bytes(void **state)
{
    (void)state;
    int fds[2];
    struct id own;
    struct id childs;
    (void)id_new(); /* so that something is left to inherit */
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct id id = id_new();
        _exit(write(fds[1], &id, sizeof(id)) == (ssize_t)sizeof(id) ? 0 : 1);
    }
    own = id_new();
    assert_int_equal(read(fds[0], &childs, sizeof(childs)), sizeof(childs));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_memory_not_equal(
        own.bytes + RANDOM_AT, childs.bytes + RANDOM_AT, sizeof(own.bytes) - RANDOM_AT);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void ids_of_a_thread_sort_as_they_were_made(void **state)
{
    (void)state;
    struct id before = id_new();
    for (int i = 0; i < 100000; i++) {
        struct id id = id_new();
        assert_true(memcmp(before.bytes, id.bytes, sizeof(id.bytes)) < 0);
        before = id;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_id_is_of_version_7),
        cmocka_unit_test(a_forked_child_has_other_random_bytes),
        cmocka_unit_test(it_holds_the_time_it_was_made),
        cmocka_unit_test(the_fraction_of_the_millisecond_orders_ids_within_it),
        cmocka_unit_test(text_orders_as_bytes_do),
        cmocka_unit_test(formats_in_five_groups),
        cmocka_unit_test(parses_what_it_formats),
        cmocka_unit_test(parses_any_version),
        cmocka_unit_test(refuses_other_texts_and_leaves_the_id),
        cmocka_unit_test(threads_never_make_the_same_id),
        cmocka_unit_test(
            ids_of_a_thread_sort_as_they_were_made), /* leaves the thread ahead of the clock */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
