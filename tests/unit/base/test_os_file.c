/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

/* A directory of its own for each case. */
static int begin(void **state)
{
    char *directory = text_copy("/tmp/callbackd-test.XXXXXX");
    *state = directory;
    return directory && mkdtemp(directory) ? 0 : -1;
}

static void remove_tree(const char *path)
{
    DIR *entries = opendir(path);
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        CLEANUP_FREE char *inner = os_path_join(path, entry->d_name);
        if (unlink(inner) != 0)
            remove_tree(inner);
    }
    if (entries)
        closedir(entries);
    rmdir(path);
}

static int end(void **state)
{
    remove_tree(*state);
    free(*state);
    return 0;
}

static size_t count_entries(const char *path)
{
    size_t count = 0;
    DIR *entries = opendir(path);
    while (entries && readdir(entries))
        count++;
    closedir(entries);
    return count - 2; /* . and .. */
}

static void assert_content(const char *path, const char *expected)
{
    struct error error;
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 1 << 20);
    assert_int_equal(os_read_file(path, &out, &error), 0);
    assert_string_equal(buffer_text(&out), expected);
}

static void what_is_written_is_read(void **state)
{
    CLEANUP_FREE char *path = os_path_join(*state, "file");
    struct error error;
    assert_int_equal(os_write_file_atomic(path, bytes_of_text("one"), 0600, &error), 0);
    assert_content(path, "one");
    assert_int_equal(os_write_file_atomic(path, bytes_of_text("two"), 0600, &error), 0);
    assert_content(path, "two");
    assert_int_equal(count_entries(*state), 1);
}

static void the_mode_is_exactly_as_asked(void **state)
{
    CLEANUP_FREE char *path = os_path_join(*state, "file");
    struct error error;
    struct stat status;
    mode_t before = umask(077);
    assert_int_equal(os_write_file_atomic(path, bytes_of_text("x"), 0644, &error), 0);
    umask(before);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0644);
}

static void an_empty_file_is_written_and_read(void **state)
{
    CLEANUP_FREE char *path = os_path_join(*state, "file");
    struct error error;
    assert_int_equal(os_write_file_atomic(path, bytes_of(NULL, 0), 0600, &error), 0);
    assert_content(path, "");
}

static void a_write_that_fails_keeps_the_old_file(void **state)
{
    CLEANUP_FREE char *path = os_path_join(*state, "file");
    struct error error;
    static char large[200000];
    memset(large, 'x', sizeof(large));
    assert_int_equal(os_write_file_atomic(path, bytes_of_text("old"), 0600, &error), 0);
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit small = {.rlim_cur = 100000, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    int result = os_write_file_atomic(path, bytes_of(large, sizeof(large)), 0600, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(result, -1);
    assert_int_equal(error.code, ERROR_IO);
    assert_non_null(strstr(error.message, path));
    assert_content(path, "old");
    assert_int_equal(count_entries(*state), 1);
}

static void a_rename_that_fails_leaves_nothing_behind(void **state)
{
    CLEANUP_FREE char *path = os_path_join(*state, "directory");
    struct error error;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(os_write_file_atomic(path, bytes_of_text("x"), 0600, &error), -1);
    assert_int_equal(error.code, ERROR_IO);
    assert_int_equal(count_entries(*state), 1);
}

static void a_file_needs_its_directory(void **state)
{
    CLEANUP_FREE char *path = os_path_join(*state, "none/file");
    struct error error;
    assert_int_equal(os_write_file_atomic(path, bytes_of_text("x"), 0600, &error), -1);
    assert_int_equal(error.code, ERROR_IO);
}

static void a_path_without_directory_is_written_here(void **state)
{
    CLEANUP_FD int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct error error;
    assert_int_equal(chdir(*state), 0);
    int result = os_write_file_atomic("bare", bytes_of_text("x"), 0600, &error);
    size_t entries = count_entries(".");
    assert_int_equal(fchdir(before), 0);
    assert_int_equal(result, 0);
    assert_int_equal(entries, 1);
}

static void reading_appends(void **state)
{
    CLEANUP_FREE char *path = os_path_join(*state, "file");
    struct error error;
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 100);
    buffer_append_text(&out, "before ");
    os_write_file_atomic(path, bytes_of_text("after"), 0600, &error);
    assert_int_equal(os_read_file(path, &out, &error), 0);
    assert_string_equal(buffer_text(&out), "before after");
}

static void a_file_that_is_not_there_is_not_found(void **state)
{
    CLEANUP_FREE char *path = os_path_join(*state, "none");
    struct error error;
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(os_read_file(path, &out, &error), -1);
    assert_int_equal(error.code, ERROR_NOT_FOUND);
    assert_non_null(strstr(error.message, path));
}

static void a_directory_is_not_a_file(void **state)
{
    struct error error;
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(os_read_file(*state, &out, &error), -1);
    assert_int_equal(error.code, ERROR_IO);
}

static void a_file_of_exactly_the_maximum_is_read(void **state)
{
    CLEANUP_FREE char *path = os_path_join(*state, "file");
    struct error error;
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 5);
    os_write_file_atomic(path, bytes_of_text("12345"), 0600, &error);
    assert_int_equal(os_read_file(path, &out, &error), 0);
    assert_string_equal(buffer_text(&out), "12345");
}

static void a_file_past_the_maximum_is_too_large_and_adds_nothing(void **state)
{
    CLEANUP_FREE char *path = os_path_join(*state, "file");
    struct error error;
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 7);
    buffer_append_text(&out, "abc");
    os_write_file_atomic(path, bytes_of_text("12345"), 0600, &error);
    assert_int_equal(os_read_file(path, &out, &error), -1);
    assert_int_equal(error.code, ERROR_TOO_LARGE);
    assert_string_equal(buffer_text(&out), "abc");
    assert_true(buffer_failed(&out));
}

static void a_failed_buffer_takes_no_file(void **state)
{
    struct error error;
    CLEANUP_BUFFER struct buffer out;
    (void)state;
    buffer_init(&out, 2);
    buffer_append_text(&out, "abc");
    assert_int_equal(os_read_file("/dev/null", &out, &error), -1);
    assert_int_equal(error.code, ERROR_MEMORY);
}

static void files_that_report_no_size_are_read_whole(void **state)
{
    (void)state;
    struct error error;
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 1 << 20);
    assert_int_equal(os_read_file("/proc/self/status", &out, &error), 0);
    assert_true(out.length > 100);
}

static void reading_from_the_start_does_not_move(void **state)
{
    (void)state;
    struct error error;
    CLEANUP_FD int fd = os_memfd("test", bytes_of_text("content"), true, &error);
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 100);
    lseek(fd, 3, SEEK_SET);
    assert_int_equal(os_pread_all(fd, &out, &error), 0);
    assert_string_equal(buffer_text(&out), "content");
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 3);
    buffer_clear(&out);
    assert_int_equal(os_read_fd(fd, &out, &error), 0);
    assert_string_equal(buffer_text(&out), "tent");
}

static void what_has_no_start_cannot_be_read_from_it(void **state)
{
    (void)state;
    struct error error;
    int pair[2];
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(os_pread_all(pair[0], &out, &error), -1);
    assert_int_equal(error.code, ERROR_IO);
    os_close(pair[0]);
    os_close(pair[1]);
}

/* What the timer's handler works on: a pipe whose other end blocks in the code under test. */
static volatile sig_atomic_t ticks;
static volatile sig_atomic_t handler_fd;

static void tick(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler}; /* no SA_RESTART: calls end with EINTR */
    struct itimerval every = {.it_value = {.tv_usec = 2000}, .it_interval = {.tv_usec = 2000}};
    struct itimerval never = {0};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, handler == SIG_IGN ? &never : &every, NULL);
}

static void write_on_the_third(int number)
{
    (void)number;
    ticks = ticks + 1;
    if (ticks == 3 && write(handler_fd, "late", 4) == 4)
        close(handler_fd);
}

static void an_interrupted_read_goes_on(void **state)
{
    (void)state;
    struct error error;
    int pair[2];
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    handler_fd = pair[1];
    ticks = 0;
    tick(write_on_the_third);
    int result = os_read_fd(pair[0], &out, &error);
    tick(SIG_IGN);
    assert_int_equal(result, 0);
    assert_string_equal(buffer_text(&out), "late");
    os_close(pair[0]);
}

static void drain_some(int number)
{
    (void)number;
    static char sink[4096];
    ticks = ticks + 1;
    if (ticks >= 3 && read(handler_fd, sink, sizeof(sink)) > 0)
        return;
}

static void interrupted_and_short_writes_go_on(void **state)
{
    (void)state;
    struct error error;
    int pair[2];
    static char data[40000];
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_true(fcntl(pair[1], F_SETPIPE_SZ, 4096) >= 4096);
    assert_int_equal(os_set_nonblocking(pair[0], true, &error), 0);
    handler_fd = pair[0];
    ticks = 0;
    tick(drain_some);
    int result = os_write_all(pair[1], bytes_of(data, sizeof(data)), &error);
    tick(SIG_IGN);
    assert_int_equal(result, 0);
    assert_true(ticks > 5);
    os_close(pair[0]);
    os_close(pair[1]);
}

static void a_full_device_is_an_error(void **state)
{
    (void)state;
    struct error error;
    CLEANUP_FD int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(os_write_all(fd, bytes_of_text("x"), &error), -1);
    assert_int_equal(error.code, ERROR_IO);
    assert_string_equal(error.message, "cannot write: No space left on device");
    assert_int_equal(os_write_all(fd, bytes_of(NULL, 0), &error), 0);
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static void directories_are_made_with_all_above_them(void **state)
{
    CLEANUP_FREE char *path = os_path_join(*state, "a//b/c/");
    struct error error;
    struct stat status;
    assert_int_equal(os_make_directories(path, 0700, &error), 0);
    assert_true(is_directory(path));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(os_make_directories(path, 0755, &error), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
}

static void the_root_and_here_are_directories_already(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(os_make_directories("/", 0700, &error), 0);
    assert_int_equal(os_make_directories(".", 0700, &error), 0);
}

static void a_link_to_a_directory_is_one(void **state)
{
    CLEANUP_FREE char *link = os_path_join(*state, "link");
    CLEANUP_FREE char *below = os_path_join(link, "below");
    struct error error;
    assert_int_equal(symlink(".", link), 0);
    assert_int_equal(os_make_directories(below, 0700, &error), 0);
    assert_true(is_directory(below));
}

static void a_file_in_the_way_is_an_error(void **state)
{
    CLEANUP_FREE char *path = os_path_join(*state, "file");
    CLEANUP_FREE char *below = os_path_join(path, "below");
    struct error error;
    os_write_file_atomic(path, bytes_of_text("x"), 0600, &error);
    assert_int_equal(os_make_directories(below, 0700, &error), -1);
    assert_int_equal(error.code, ERROR_IO);
    assert_non_null(strstr(error.message, "Not a directory"));
    assert_int_equal(os_make_directories(path, 0700, &error), -1);
}

static void a_link_to_nothing_is_an_error(void **state)
{
    CLEANUP_FREE char *link = os_path_join(*state, "link");
    struct error error;
    assert_int_equal(symlink("nowhere", link), 0);
    assert_int_equal(os_make_directories(link, 0700, &error), -1);
    assert_int_equal(error.code, ERROR_IO);
}

static void no_directory_has_an_empty_name(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(os_make_directories("", 0700, &error), -1);
    assert_int_equal(error.code, ERROR_INVALID);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(what_is_written_is_read),
        CASE(the_mode_is_exactly_as_asked),
        CASE(an_empty_file_is_written_and_read),
        CASE(a_write_that_fails_keeps_the_old_file),
        CASE(a_rename_that_fails_leaves_nothing_behind),
        CASE(a_file_needs_its_directory),
        CASE(a_path_without_directory_is_written_here),
        CASE(reading_appends),
        CASE(a_file_that_is_not_there_is_not_found),
        CASE(a_directory_is_not_a_file),
        CASE(a_file_of_exactly_the_maximum_is_read),
        CASE(a_file_past_the_maximum_is_too_large_and_adds_nothing),
        cmocka_unit_test(a_failed_buffer_takes_no_file),
        cmocka_unit_test(files_that_report_no_size_are_read_whole),
        cmocka_unit_test(reading_from_the_start_does_not_move),
        cmocka_unit_test(what_has_no_start_cannot_be_read_from_it),
        cmocka_unit_test(an_interrupted_read_goes_on),
        cmocka_unit_test(interrupted_and_short_writes_go_on),
        cmocka_unit_test(a_full_device_is_an_error),
        CASE(directories_are_made_with_all_above_them),
        cmocka_unit_test(the_root_and_here_are_directories_already),
        CASE(a_link_to_a_directory_is_one),
        CASE(a_file_in_the_way_is_an_error),
        CASE(a_link_to_nothing_is_an_error),
        cmocka_unit_test(no_directory_has_an_empty_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
