/* SPDX-License-Identifier: MIT */
/* The log between processes: receivers that overlap, a worker that reads, and kill -9. */
#include "store_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

/* No log is open across a fork: SQLite's connections do not survive it. */
static pid_t start_child(
    struct fixture *fixture, void (*run)(struct fixture *fixture, int fd), int fd)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct result_log_options options = fixture_log_options(fixture);

        fixture->log = result_log_open(&options, &fixture->error);
        if (fixture->log == NULL)
            _exit(2);
        run(fixture, fd);
        result_log_close(fixture->log);
        _exit(0);
    }
    return child;
}

static void expect_success(pid_t child)
{
    int status = -1;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- kill -9 ---- */

enum { APPENDERS = 8, ROUNDS = 6 };

struct appender {
    pthread_t thread;
    struct fixture *fixture;
    int acks_fd;
};

/* Reports each result that was acknowledged, by its id, which one write() to a pipe cannot tear. */
static void *append_for_ever(void *argument)
{
    struct appender *appender = argument;

    for (;;) {
        struct result_post post = a_post(NULL, "{\"some\":\"body\"}");
        struct result_receipt receipt;

        if (result_log_append(appender->fixture->log, &post, &receipt, NULL) == 0 &&
            write(appender->acks_fd, &receipt.id, sizeof receipt.id) != sizeof receipt.id)
            return NULL;
    }
}

static void append_until_killed(struct fixture *fixture, int acks_fd)
{
    struct appender appenders[APPENDERS];

    for (int i = 0; i < APPENDERS; i++) {
        appenders[i] = (struct appender){.fixture = fixture, .acks_fd = acks_fd};
        pthread_create(&appenders[i].thread, NULL, append_for_ever, &appenders[i]);
    }
    for (int i = 0; i < APPENDERS; i++)
        pthread_join(appenders[i].thread, NULL);
}

struct ids {
    struct id *items;
    size_t count;
    size_t capacity;
};

static void add_id(struct ids *ids, const struct id *id)
{
    if (ids->count == ids->capacity) {
        ids->capacity = ids->capacity * 2 + 1024;
        ids->items = realloc(ids->items, ids->capacity * sizeof *ids->items);
        assert_non_null(ids->items);
    }
    ids->items[ids->count++] = *id;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct id));
}

static int collect_id(void *context, const struct result_entry *entry)
{
    add_id(context, &entry->id);
    return 0;
}

static void read_acks(int fd, size_t at_least, struct ids *acknowledged)
{
    size_t target = acknowledged->count + at_least;
    struct id id;

    while (acknowledged->count < target && read(fd, &id, sizeof id) == sizeof id)
        add_id(acknowledged, &id);
}

static void kill_one_while_it_appends(struct fixture *fixture, struct ids *acknowledged)
{
    int acks[2];
    pid_t child;

    assert_int_equal(pipe(acks), 0);
    child = start_child(fixture, append_until_killed, acks[1]);
    close(acks[1]);
    read_acks(acks[0], 200, acknowledged);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    read_acks(acks[0], SIZE_MAX / 2, acknowledged); /* what was still in the pipe */
    close(acks[0]);
}

static void what_was_acknowledged_survives_kill_nine(void **state)
{
    struct fixture *fixture = *state;
    struct ids acknowledged = {0};
    struct ids stored = {0};

    for (int i = 0; i < ROUNDS; i++)
        kill_one_while_it_appends(fixture, &acknowledged);
    fixture_open_log(fixture);
    assert_int_equal(
        result_log_read(fixture->log, 0, 10000000, collect_id, &stored, &fixture->error), 0);
    qsort(stored.items, stored.count, sizeof *stored.items, compare_ids);
    for (size_t i = 0; i < acknowledged.count; i++)
        assert_non_null(bsearch(
            &acknowledged.items[i], stored.items, stored.count, sizeof *stored.items, compare_ids));
    assert_true(acknowledged.count >= ROUNDS * 200);
    free(acknowledged.items);
    free(stored.items);
}

/* ---- several at once ---- */

enum { POSTS = 400 };

/* All children post the same keys and bodies: each must be stored once. */
static void append_the_same_posts(struct fixture *fixture, int fd)
{
    (void)fd;
    for (int i = 0; i < POSTS; i++) {
        char key[32];
        struct result_post post;
        struct result_receipt receipt;

        snprintf(key, sizeof key, "key-%d", i);
        post = a_post(key, "{}");
        if (result_log_append(fixture->log, &post, &receipt, &fixture->error) != 0)
            _exit(3);
    }
}

static void retain_in_slices(struct fixture *fixture, int fd)
{
    (void)fd;
    for (int i = 0; i < 100; i++) {
        int removed;

        if (result_log_remove(fixture->log, 0, 0, 10, NULL, NULL, &removed, NULL) != 0 ||
            result_log_check(fixture->log, NULL) != 0)
            _exit(3);
        usleep(1000);
    }
}

struct taken {
    int64_t cursor;
    int stored;
    int duplicates;
    int out_of_order;
};

static int take(void *context, const struct result_entry *entry)
{
    struct taken *taken = context;

    taken->out_of_order += entry->seq != taken->cursor + 1;
    taken->cursor = entry->seq;
    if (entry->duplicate_of == 0)
        taken->stored++;
    else
        taken->duplicates++;
    return 0;
}

static void two_receivers_append_while_a_worker_reads(void **state)
{
    struct fixture *fixture = *state;
    pid_t first = start_child(fixture, append_the_same_posts, -1);
    pid_t second = start_child(fixture, append_the_same_posts, -1);
    pid_t retention = start_child(fixture, retain_in_slices, -1);
    struct result_log_options options = fixture_log_options(fixture);
    struct taken taken = {0};
    int64_t deadline_ms = clock_monotonic_ms() + 60000;

    options.checkpoint_at_start = false;
    fixture->log = result_log_open(&options, &fixture->error);
    assert_non_null(fixture->log);
    while (taken.cursor < 2 * POSTS && clock_monotonic_ms() < deadline_ms)
        fixture_succeeds(
            result_log_read(fixture->log, taken.cursor, 50, take, &taken, &fixture->error),
            &fixture->error);
    expect_success(first);
    expect_success(second);
    expect_success(retention);
    assert_int_equal(taken.stored, POSTS);
    assert_int_equal(taken.duplicates, POSTS);
    assert_int_equal(taken.out_of_order, 0); /* no gap: nothing that a cursor could skip */
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_prepared, teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_was_acknowledged_survives_kill_nine),
        CASE(two_receivers_append_while_a_worker_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
