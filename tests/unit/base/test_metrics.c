/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callbackd/metrics.h"
#include "callbackd/os.h"

static void a_new_mapping_counts_from_zero(void **state)
{
    (void)state;
    struct error error;
    int fd = -1;
    struct metrics *metrics = metrics_create(&fd, &error);
    assert_non_null(metrics);
    for (int i = 0; i < METRIC_COUNT; i++)
        assert_int_equal(metrics_get(metrics, (enum metric)i), 0);
    metrics_close(metrics);
    os_close(fd);
}

static void numbers_add_and_set(void **state)
{
    (void)state;
    struct error error;
    int fd = -1;
    struct metrics *metrics = metrics_create(&fd, &error);
    metrics_add(metrics, METRIC_REQUESTS, 2);
    metrics_add(metrics, METRIC_REQUESTS, 3);
    metrics_set(metrics, METRIC_CONNECTIONS, 7);
    metrics_add(metrics, METRIC_CONNECTIONS, -8);
    assert_int_equal(metrics_get(metrics, METRIC_REQUESTS), 5);
    assert_int_equal(metrics_get(metrics, METRIC_CONNECTIONS), -1);
    metrics_close(metrics);
    os_close(fd);
}

static void parts_of_a_process_go_with_it(void **state)
{
    (void)state;
    struct error error;
    int fd = -1;
    struct metrics *metrics = metrics_create(&fd, &error);
    metrics_add_part(metrics, METRIC_CONNECTIONS, 2);
    pid_t pid = fork();
    if (pid == 0) {
        metrics_add_part(metrics, METRIC_CONNECTIONS, 5);
        metrics_add_part(metrics, METRIC_CONNECTIONS, -1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(metrics_get(metrics, METRIC_CONNECTIONS), 6);
    metrics_forget(metrics, pid);
    metrics_forget(metrics, 0);
    assert_int_equal(metrics_get(metrics, METRIC_CONNECTIONS), 2);
    metrics_add_part(NULL, METRIC_CONNECTIONS, 1);
    metrics_forget(NULL, pid);
    metrics_close(metrics);
    os_close(fd);
}

static void there_is_room_for_the_parts_of_many_processes_in_a_row(void **state)
{
    (void)state;
    struct error error;
    int fd = -1;
    struct metrics *metrics = metrics_create(&fd, &error);
    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            metrics_add_part(metrics, METRIC_CONNECTIONS, 1);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(metrics_get(metrics, METRIC_CONNECTIONS), 1);
        metrics_forget(metrics, pid);
    }
    metrics_close(metrics);
    os_close(fd);
}

static void null_counts_nothing(void **state)
{
    (void)state;
    metrics_add(NULL, METRIC_REQUESTS, 1);
    metrics_set(NULL, METRIC_REQUESTS, 1);
    assert_int_equal(metrics_get(NULL, METRIC_REQUESTS), 0);
    metrics_close(NULL);
}

static void a_metric_that_does_not_exist_is_ignored(void **state)
{
    (void)state;
    struct error error;
    int fd = -1;
    struct metrics *metrics = metrics_create(&fd, &error);
    metrics_add(metrics, METRIC_COUNT, 1);
    metrics_set(metrics, METRIC_COUNT, 1);
    assert_int_equal(metrics_get(metrics, METRIC_COUNT), 0);
    metrics_close(metrics);
    os_close(fd);
}

static void the_descriptor_is_close_on_exec_and_cannot_shrink(void **state)
{
    (void)state;
    struct error error;
    int fd = -1;
    struct metrics *metrics = metrics_create(&fd, &error);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(ftruncate(fd, 0), -1);
    metrics_close(metrics);
    os_close(fd);
}

static void a_second_mapping_sees_the_same_numbers(void **state)
{
    (void)state;
    struct error error;
    int fd = -1;
    struct metrics *first = metrics_create(&fd, &error);
    struct metrics *second = metrics_open(fd, &error);
    assert_non_null(second);
    os_close(fd);
    metrics_add(first, METRIC_ACCEPTED, 4);
    metrics_add(second, METRIC_ACCEPTED, 5);
    assert_int_equal(metrics_get(first, METRIC_ACCEPTED), 9);
    metrics_close(first);
    assert_int_equal(metrics_get(second, METRIC_ACCEPTED), 9);
    metrics_close(second);
}

static void a_number_survives_the_process_that_counted(void **state)
{
    (void)state;
    struct error error;
    int fd = -1;
    struct metrics *metrics = metrics_create(&fd, &error);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct metrics *own = metrics_open(fd, NULL);
        metrics_add(own, METRIC_POLLS, 3);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(metrics_get(metrics, METRIC_POLLS), 3);
    metrics_close(metrics);
    os_close(fd);
}

static void other_descriptors_are_refused(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(metrics_open(-1, &error));
    assert_int_equal(error.code, ERROR_IO);
    int empty = os_memfd("empty", bytes_of(NULL, 0), false, &error);
    assert_null(metrics_open(empty, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    os_close(empty);
    int pair[2];
    assert_int_equal(pipe(pair), 0);
    assert_null(metrics_open(pair[0], &error));
    os_close(pair[0]);
    os_close(pair[1]);
}

static void the_rows_of_another_version_are_refused(void **state)
{
    (void)state;
    struct error error = {0};
    struct buffer copy;
    int fd = -1;
    struct metrics *metrics = metrics_create(&fd, &error);
    buffer_init(&copy, 65536);
    assert_int_equal(os_pread_all(fd, &copy, &error), 0);
    copy.data[0] ^= 1;
    int other = os_memfd("other", buffer_bytes(&copy), false, &error);
    assert_null(metrics_open(other, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.message, "the metrics are those of another version");
    copy.data[0] ^= 1;
    int sealed = os_memfd("sealed", buffer_bytes(&copy), true, &error);
    assert_null(metrics_open(sealed, &error));
    assert_int_equal(error.code, ERROR_IO);
    os_close(sealed);
    os_close(other);
    buffer_fini(&copy);
    metrics_close(metrics);
    os_close(fd);
}

enum { THREADS = 4, ADDS_EACH = 10000 };

static void *add_many(void *argument)
{
    for (int i = 0; i < ADDS_EACH; i++)
        metrics_add(argument, METRIC_REQUESTS, 1);
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    (void)state;
    struct error error;
    int fd = -1;
    struct metrics *metrics = metrics_create(&fd, &error);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, metrics), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metrics_get(metrics, METRIC_REQUESTS), THREADS * ADDS_EACH);
    metrics_close(metrics);
    os_close(fd);
}

static void counters_are_exposed_with_total_and_gauges_without(void **state)
{
    (void)state;
    struct error error;
    struct buffer out;
    int fd = -1;
    struct metrics *metrics = metrics_create(&fd, &error);
    buffer_init(&out, 65536);
    metrics_add(metrics, METRIC_REQUESTS, 12);
    metrics_set(metrics, METRIC_CONNECTIONS, 3);
    assert_int_equal(metrics_expose(metrics, &out), 0);
    assert_non_null(strstr(
        buffer_text(&out), "# TYPE callbackd_connections gauge\n"
                           "# HELP callbackd_connections Open connections of the receiver\n"
                           "callbackd_connections 3\n"
                           "# TYPE callbackd_requests counter\n"
                           "# HELP callbackd_requests Requests that the receiver answered\n"
                           "callbackd_requests_total 12\n"));
    assert_null(strstr(buffer_text(&out), "# EOF"));
    buffer_fini(&out);
    metrics_close(metrics);
    os_close(fd);
}

/* What OpenMetrics and Markdown would need escaped is not used, so nothing escapes it. */
static void every_row_is_documented_and_plain(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *help;
    } rows[] = {
#define ROW(identifier, name, type, help) {name, help},
        METRICS_TABLE(ROW)
#undef ROW
    };
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        assert_int_equal(strspn(rows[i].name, "abcdefghijklmnopqrstuvwxyz_"), strlen(rows[i].name));
        assert_true(strlen(rows[i].help) > 10);
        assert_null(strpbrk(rows[i].help, "\"\\\n|"));
        assert_null(strstr(rows[i].name, "_total"));
        for (size_t other = 0; other < i; other++)
            assert_string_not_equal(rows[i].name, rows[other].name);
    }
}

static void no_metrics_are_exposed_as_zeros(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 65536);
    assert_int_equal(metrics_expose(NULL, &out), 0);
    assert_non_null(strstr(buffer_text(&out), "\ncallbackd_requests_total 0\n"));
    buffer_fini(&out);
}

static void a_full_buffer_fails(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(metrics_expose(NULL, &out), -1);
    buffer_clear(&out);
    assert_int_equal(metrics_document(&out), -1);
    buffer_fini(&out);
}

static void the_document_has_a_line_for_every_row(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 65536);
    assert_int_equal(metrics_document(&out), 0);
    size_t lines = 0;
    for (const char *c = buffer_text(&out); *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(lines, METRIC_COUNT + 2);
    assert_non_null(strstr(
        buffer_text(&out), "\n| `callbackd_polls_total` | counter | Requests for a result "));
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_mapping_counts_from_zero),
        cmocka_unit_test(numbers_add_and_set),
        cmocka_unit_test(parts_of_a_process_go_with_it),
        cmocka_unit_test(there_is_room_for_the_parts_of_many_processes_in_a_row),
        cmocka_unit_test(null_counts_nothing),
        cmocka_unit_test(a_metric_that_does_not_exist_is_ignored),
        cmocka_unit_test(the_descriptor_is_close_on_exec_and_cannot_shrink),
        cmocka_unit_test(a_second_mapping_sees_the_same_numbers),
        cmocka_unit_test(a_number_survives_the_process_that_counted),
        cmocka_unit_test(other_descriptors_are_refused),
        cmocka_unit_test(the_rows_of_another_version_are_refused),
        cmocka_unit_test(threads_lose_no_count),
        cmocka_unit_test(counters_are_exposed_with_total_and_gauges_without),
        cmocka_unit_test(every_row_is_documented_and_plain),
        cmocka_unit_test(no_metrics_are_exposed_as_zeros),
        cmocka_unit_test(a_full_buffer_fails),
        cmocka_unit_test(the_document_has_a_line_for_every_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
