/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callbackd/os.h"

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void closing_keeps_errno_and_takes_minus_one(void **state)
{
    (void)state;
    errno = ENOTTY;
    os_close(-1);
    os_close(9999);
    assert_int_equal(errno, ENOTTY);
}

static void a_descriptor_is_closed_at_the_end_of_its_scope(void **state)
{
    (void)state;
    int number;
    {
        CLEANUP_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        CLEANUP_FD int none = -1;
        number = fd;
        assert_true(is_open(number));
        assert_int_equal(none, -1);
    }
    assert_false(is_open(number));
}

/* What is not freed here is found by the address sanitizer. */
static void memory_is_freed_at_the_end_of_its_scope(void **state)
{
    (void)state;
    CLEANUP_FREE char *text = strdup("freed");
    CLEANUP_FREE struct error *nothing = NULL;
    CLEANUP_BUFFER struct buffer buffer;
    buffer_init(&buffer, 10);
    buffer_append_text(&buffer, "freed");
    assert_non_null(text);
    assert_null(nothing);
}

static void assert_join(const char *directory, const char *path, const char *expected)
{
    CLEANUP_FREE char *joined = os_path_join(directory, path);
    assert_string_equal(joined, expected);
}

static void paths_join_unless_absolute(void **state)
{
    (void)state;
    assert_join("/etc/callbackd", "a.key", "/etc/callbackd/a.key");
    assert_join("/etc/callbackd/", "a.key", "/etc/callbackd/a.key");
    assert_join("/", "a", "/a");
    assert_join("conf", "sub/a", "conf/sub/a");
    assert_join("/etc", "/run/a", "/run/a");
    assert_join("", "a", "a");
    assert_join(NULL, "a", "a");
}

static void a_memory_file_holds_its_content_from_the_start(void **state)
{
    (void)state;
    struct error error;
    CLEANUP_FD int fd = os_memfd("test", bytes_of_text("content"), false, &error);
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 100);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(os_read_fd(fd, &out, &error), 0);
    assert_string_equal(buffer_text(&out), "content");
    assert_int_equal(write(fd, "x", 1), 1);
}

static void a_sealed_memory_file_never_changes(void **state)
{
    (void)state;
    struct error error;
    CLEANUP_FD int fd = os_memfd("test", bytes_of_text("content"), true, &error);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 100), -1);
    assert_true(mmap(NULL, 7, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, 0), -1);
}

static void a_memory_file_may_be_empty(void **state)
{
    (void)state;
    struct error error;
    CLEANUP_FD int fd = os_memfd("test", bytes_of(NULL, 0), true, &error);
    char byte;
    assert_true(fd >= 0);
    assert_int_equal(read(fd, &byte, 1), 0);
}

static void a_memory_file_that_cannot_be_made_is_an_error(void **state)
{
    (void)state;
    struct error error = {0};
    char name[300];
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(os_memfd(name, bytes_of_text("x"), true, &error), -1);
    assert_int_equal(error.code, ERROR_IO);
}

static void a_memory_file_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    struct error error = {0};
    static const char content[100000];
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit small = {.rlim_cur = 1000, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    int fd = os_memfd("test", bytes_of(content, sizeof(content)), true, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(fd, -1);
    assert_string_equal(error.message, "memory file test: cannot write: File too large");
}

static void blocking_mode_goes_both_ways(void **state)
{
    (void)state;
    struct error error = {0};
    int pair[2];
    char byte;
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(os_set_nonblocking(pair[0], true, &error), 0);
    assert_int_equal(read(pair[0], &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(os_set_nonblocking(pair[0], false, &error), 0);
    assert_int_equal(fcntl(pair[0], F_GETFL) & O_NONBLOCK, 0);
    os_close(pair[0]);
    os_close(pair[1]);
    assert_int_equal(os_set_nonblocking(pair[0], true, &error), -1);
    assert_int_equal(error.code, ERROR_IO);
}

static void random_bytes_fill_exactly_the_place(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    static unsigned char data[COUNT + 2];
    static unsigned char other[COUNT];
    static const unsigned char zeros[64];
    os_random(data + 1, COUNT);
    os_random(other, COUNT);
    assert_int_equal(data[0], 0);
    assert_int_equal(data[COUNT + 1], 0);
    assert_memory_not_equal(data + 1 + COUNT - sizeof(zeros), zeros, sizeof(zeros));
    assert_memory_not_equal(data + 1, other, COUNT);
    os_random(NULL, 0);
}

/* From here on getrandom() fails in this process. */
static void refuse_randomness(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(rules) / sizeof(rules[0]), .filter = rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
}

static void without_randomness_the_process_ends(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        unsigned char data[16];
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        refuse_randomness();
        os_random(data, sizeof(data));
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); /* no seccomp here */
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* For what cannot be undone. `work` gives 0, or the number of what is wrong. */
static void assert_passes_in_a_child(int (*work)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(work());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* What a child process of this one is that keeps its memory private. */
static int keep_private(void)
{
    struct rlimit before = {0, 0};
    struct rlimit after = {1, 1};
    getrlimit(RLIMIT_CORE, &before);
    os_keep_memory_private();
    getrlimit(RLIMIT_CORE, &after);
#ifndef CALLBACKD_SANITIZED
    if (prctl(PR_GET_DUMPABLE) != 0)
        return 1;
#endif
    return after.rlim_cur == 0 && after.rlim_max == before.rlim_max ? 0 : 2;
}

static void memory_is_kept_private_and_hooks_may_still_have_cores(void **state)
{
    (void)state;
    assert_passes_in_a_child(keep_private);
}

#ifndef CALLBACKD_SANITIZED /* its malloc has heaps of its own */
enum { HEAP_THREADS = 24 };

static void *use_a_heap(void *barrier)
{
    /* Freed when all threads have theirs. */
    char *volatile memory = malloc(1000); /* or the compiler leaves it out */
    (void)pthread_barrier_wait(barrier);
    (void)pthread_barrier_wait(barrier);
    free(memory);
    return NULL;
}

static long count_heaps(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    long count = 0;
    if (out == NULL || malloc_info(0, out) != 0 || fclose(out) != 0)
        return -1;
    for (const char *at = text; (at = strstr(at, "<heap nr=")) != NULL; at++)
        count++;
    free(text);
    return count;
}

static int share_heaps(void)
{
    pthread_t threads[HEAP_THREADS];
    pthread_barrier_t barrier;
    os_share_heaps();
    if (pthread_barrier_init(&barrier, NULL, HEAP_THREADS + 1) != 0)
        return 1;
    for (int i = 0; i < HEAP_THREADS; i++)
        if (pthread_create(&threads[i], NULL, use_a_heap, &barrier) != 0)
            return 2;
    (void)pthread_barrier_wait(&barrier);
    long heaps = count_heaps();
    (void)pthread_barrier_wait(&barrier);
    for (int i = 0; i < HEAP_THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    return heaps >= 1 && heaps <= sysconf(_SC_NPROCESSORS_ONLN) ? 0 : 3;
}

static void threads_share_as_many_heaps_as_there_are_cpus(void **state)
{
    (void)state;
    assert_passes_in_a_child(share_heaps);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_keeps_errno_and_takes_minus_one),
        cmocka_unit_test(a_descriptor_is_closed_at_the_end_of_its_scope),
        cmocka_unit_test(memory_is_freed_at_the_end_of_its_scope),
        cmocka_unit_test(paths_join_unless_absolute),
        cmocka_unit_test(a_memory_file_holds_its_content_from_the_start),
        cmocka_unit_test(a_sealed_memory_file_never_changes),
        cmocka_unit_test(a_memory_file_may_be_empty),
        cmocka_unit_test(a_memory_file_that_cannot_be_made_is_an_error),
        cmocka_unit_test(a_memory_file_that_does_not_fit_is_an_error),
        cmocka_unit_test(blocking_mode_goes_both_ways),
        cmocka_unit_test(random_bytes_fill_exactly_the_place),
        cmocka_unit_test(without_randomness_the_process_ends),
        cmocka_unit_test(memory_is_kept_private_and_hooks_may_still_have_cores),
#ifndef CALLBACKD_SANITIZED
        cmocka_unit_test(threads_share_as_many_heaps_as_there_are_cpus),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
