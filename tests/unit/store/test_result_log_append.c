/* SPDX-License-Identifier: MIT */
#include "store_fixture.h"

#include <pthread.h>
#include <sys/eventfd.h>

static void the_first_post_of_a_key_is_revision_one(void **state)
{
    struct result_receipt receipt = append_text(*state, "run-1", "{}");

    assert_int_equal(receipt.seq, 1);
    assert_int_equal(receipt.revision, 1);
    assert_false(receipt.duplicate);
}

static void the_same_body_for_a_key_is_a_duplicate(void **state)
{
    struct result_receipt first = append_text(*state, "run-1", "{}");
    struct result_receipt again = append_text(*state, "run-1", "{}");

    assert_true(again.duplicate);
    assert_true(id_equal(&again.id, &first.id));
    assert_int_equal(again.revision, 1);
    assert_int_equal(again.seq, 2);
}

static void another_body_for_a_key_is_a_further_revision(void **state)
{
    struct result_receipt first = append_text(*state, "run-1", "1");
    struct result_receipt second = append_text(*state, "run-1", "2");
    struct result_receipt third = append_text(*state, "run-1", "3");

    assert_false(second.duplicate);
    assert_int_equal(second.revision, 2);
    assert_int_equal(third.revision, 3);
    assert_false(id_equal(&first.id, &second.id));
}

static void a_duplicate_of_any_revision_is_found(void **state)
{
    struct result_receipt revisions[5];
    char body[2] = "0";

    for (int i = 0; i < 5; i++) {
        body[0] = (char)('0' + i);
        revisions[i] = append_text(*state, "run-1", body);
    }
    for (int i = 0; i < 5; i++) {
        struct result_receipt again;

        body[0] = (char)('0' + i);
        again = append_text(*state, "run-1", body);
        assert_true(again.duplicate);
        assert_true(id_equal(&again.id, &revisions[i].id));
        assert_int_equal(again.revision, i + 1);
    }
    assert_int_equal(append_text(*state, "run-1", "new").revision, 6);
}

static void without_a_key_nothing_is_a_duplicate(void **state)
{
    assert_false(append_text(*state, NULL, "{}").duplicate);
    assert_false(append_text(*state, NULL, "{}").duplicate);
    assert_int_equal(append_text(*state, NULL, "{}").revision, 1);
}

static void keys_of_different_endpoints_are_different(void **state)
{
    struct result_post post = a_post("7", "{}");

    (void)appended(*state, &post);
    post.endpoint = "events";
    assert_false(appended(*state, &post).duplicate);
}

static void what_was_appended_counts_and_wakes(void **state)
{
    struct fixture *fixture = *state;
    struct result_log_options options = fixture_log_options(fixture);
    int metrics_fd = -1;
    struct metrics *metrics = metrics_create(&metrics_fd, NULL);
    uint64_t woken = 0;

    result_log_close(fixture->log);
    options.metrics = metrics;
    options.wake_fd = eventfd(0, EFD_CLOEXEC);
    fixture->log = result_log_open(&options, &fixture->error);
    assert_non_null(fixture->log);
    (void)append_text(fixture, "a", "1");
    (void)append_text(fixture, "b", "1");
    result_log_close(fixture->log); /* waits for what follows a commit */
    fixture->log = NULL;
    assert_int_equal(read(options.wake_fd, &woken, sizeof woken), sizeof woken);
    assert_int_equal(woken, 2);
    assert_int_equal(metrics_get(metrics, METRIC_STORE_BATCHES), 2);
    assert_int_equal(metrics_get(metrics, METRIC_STORE_ERRORS), 0);
    assert_int_equal(metrics_get(metrics, METRIC_LOG_SEQ), 2);
    assert_true(metrics_get(metrics, METRIC_WAL_BYTES) > 0);
    close(options.wake_fd);
    close(metrics_fd);
    metrics_close(metrics);
}

static void the_newest_seq_is_published_when_the_log_is_opened(void **state)
{
    struct fixture *fixture = *state;
    struct result_log_options options = fixture_log_options(fixture);
    int metrics_fd = -1;

    (void)append_text(fixture, "a", "1");
    result_log_close(fixture->log);
    options.metrics = metrics_create(&metrics_fd, NULL);
    fixture->log = result_log_open(&options, &fixture->error);
    assert_int_equal(metrics_get(options.metrics, METRIC_LOG_SEQ), 1);
    result_log_close(fixture->log);
    fixture->log = NULL;
    close(metrics_fd);
    metrics_close(options.metrics);
}

/* ---- many threads ---- */

enum { THREADS = 64, POSTS = 60, KEYS = 20 };

struct sender {
    pthread_t thread;
    struct fixture *fixture;
    int number;
    int stored;
    int duplicates;
    int failures;
};

/* Small stacks, as the threads of the HTTP server have them. */
static void *send_posts(void *argument)
{
    struct sender *sender = argument;

    for (int i = 0; i < POSTS; i++) {
        char key[32];
        struct result_post post;
        struct result_receipt receipt;

        snprintf(key, sizeof key, "key-%d", (sender->number + i) % KEYS);
        post = a_post(key, (i % 3) != 0 ? "{\"same\":true}" : "{\"same\":false}");
        if (result_log_append(sender->fixture->log, &post, &receipt, NULL) != 0)
            sender->failures++;
        else if (receipt.duplicate)
            sender->duplicates++;
        else
            sender->stored++;
    }
    return NULL;
}

static void sixty_four_threads_store_each_body_once(void **state)
{
    struct sender senders[THREADS];
    pthread_attr_t attributes;
    int stored = 0;
    int duplicates = 0;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 * 1024);
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){.fixture = *state, .number = i};
        assert_int_equal(
            pthread_create(&senders[i].thread, &attributes, send_posts, &senders[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(senders[i].thread, NULL);
        assert_int_equal(senders[i].failures, 0);
        stored += senders[i].stored;
        duplicates += senders[i].duplicates;
    }
    pthread_attr_destroy(&attributes);
    assert_int_equal(stored, 2 * KEYS);
    assert_int_equal(duplicates, THREADS * POSTS - 2 * KEYS);
    assert_int_equal(entries(*state), THREADS * POSTS);
}

/* ---- without waiting ---- */

struct told {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int times; /* lock */
    bool stored;
    struct result_receipt receipt;
    struct error error;
};

static void note_told(
    void *context, const struct result_receipt *receipt, const struct error *error)
{
    struct told *told = context;

    pthread_mutex_lock(&told->lock);
    told->times++;
    told->stored = error == NULL;
    if (error != NULL)
        told->error = *error;
    else
        told->receipt = *receipt;
    pthread_cond_signal(&told->changed);
    pthread_mutex_unlock(&told->lock);
}

static void told_init(struct told *told)
{
    *told = (struct told){0};
    pthread_mutex_init(&told->lock, NULL);
    pthread_cond_init(&told->changed, NULL);
}

static void wait_told(struct told *told)
{
    pthread_mutex_lock(&told->lock);
    while (told->times == 0)
        pthread_cond_wait(&told->changed, &told->lock);
    pthread_mutex_unlock(&told->lock);
}

static struct result_receipt append_later(
    struct fixture *fixture, const char *key, const char *body)
{
    struct result_post post = a_post(key, body);
    struct told told;

    told_init(&told);
    fixture_succeeds(
        result_log_append_later(fixture->log, &post, note_told, &told, &fixture->error),
        &fixture->error);
    wait_told(&told);
    assert_int_equal(told.times, 1);
    assert_true(told.stored);
    pthread_cond_destroy(&told.changed);
    pthread_mutex_destroy(&told.lock);
    return told.receipt;
}

static void what_is_told_as_stored_is_in_the_log(void **state)
{
    struct result_receipt first = append_later(*state, "run-1", "1");
    struct result_receipt second = append_later(*state, "run-1", "2");

    assert_int_equal(entries(*state), 2);
    assert_int_equal(first.seq, 1);
    assert_int_equal(first.revision, 1);
    assert_int_equal(second.revision, 2);
    assert_false(first.duplicate || second.duplicate);
}

static void a_duplicate_is_told_the_id_of_the_first(void **state)
{
    struct result_receipt waited = append_text(*state, "run-1", "{}");
    struct result_receipt told = append_later(*state, "run-1", "{}");

    assert_true(told.duplicate);
    assert_true(id_equal(&told.id, &waited.id));
    assert_int_equal(told.seq, 2);
}

static void closing_tells_what_waits(void **state)
{
    enum { COUNT = 300 }; /* more than are kept spare */
    static struct told told[COUNT];
    struct fixture *fixture = *state;
    struct result_post post = a_post(NULL, "{}");

    for (int i = 0; i < COUNT; i++) {
        told_init(&told[i]);
        fixture_succeeds(
            result_log_append_later(fixture->log, &post, note_told, &told[i], &fixture->error),
            &fixture->error);
    }
    result_log_close(fixture->log);
    fixture->log = NULL;
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(told[i].times, 1);
        assert_true(told[i].stored);
    }
}

/* The file is taken away under the log. */
static void what_cannot_be_stored_is_told_why(void **state)
{
    struct fixture *fixture = *state;
    struct result_post post = a_post("run-1", "{}");
    char away[sizeof fixture->directory + 32];
    char *log = fixture_path(fixture, "log/results.db");
    struct told told;

    snprintf(away, sizeof away, "%s/away", fixture->directory);
    assert_int_equal(rename(log, away), 0);
    told_init(&told);
    fixture_succeeds(
        result_log_append_later(fixture->log, &post, note_told, &told, &fixture->error),
        &fixture->error);
    wait_told(&told);
    assert_int_equal(told.times, 1);
    assert_false(told.stored);
    assert_int_equal(told.error.code, ERROR_STORE);
    assert_true(told.error.message[0] != '\0');
    assert_int_equal(rename(away, log), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_log, teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_first_post_of_a_key_is_revision_one),
        CASE(the_same_body_for_a_key_is_a_duplicate),
        CASE(another_body_for_a_key_is_a_further_revision),
        CASE(a_duplicate_of_any_revision_is_found),
        CASE(without_a_key_nothing_is_a_duplicate),
        CASE(keys_of_different_endpoints_are_different),
        CASE(what_was_appended_counts_and_wakes),
        CASE(the_newest_seq_is_published_when_the_log_is_opened),
        CASE(sixty_four_threads_store_each_body_once),
        CASE(what_is_told_as_stored_is_in_the_log),
        CASE(a_duplicate_is_told_the_id_of_the_first),
        CASE(closing_tells_what_waits),
        CASE(what_cannot_be_stored_is_told_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
