/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/fibers.h"
#include "callbackd/log.h"

enum { LINE_MAX_BYTES = 4096 };

/* Standard error goes to a socket that keeps messages apart, so that each write() is one. */
struct capture {
    int saved;
    int read_fd;
    char line[2 * LINE_MAX_BYTES];
};

static int begin(void **state)
{
    static struct capture capture;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    capture.saved = dup(STDERR_FILENO);
    capture.read_fd = pair[0];
    dup2(pair[1], STDERR_FILENO);
    close(pair[1]);
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO, "tester");
    *state = &capture;
    return 0;
}

static int end(void **state)
{
    struct capture *capture = *state;
    dup2(capture->saved, STDERR_FILENO);
    close(capture->saved);
    close(capture->read_fd);
    return 0;
}

/* The next line without its time, or "" when nothing was written. */
static const char *next_line(struct capture *capture)
{
    ssize_t got = recv(capture->read_fd, capture->line, sizeof(capture->line) - 1, MSG_DONTWAIT);
    capture->line[got > 0 ? got : 0] = '\0';
    const char *level = strstr(capture->line, "level");
    return level ? level : capture->line;
}

static void nothing_is_set_before_the_first_line(void **state)
{
    (void)state;
    assert_true(log_enabled(LOG_LEVEL_INFO));
    assert_false(log_enabled(LOG_LEVEL_DEBUG));
}

static void a_line_holds_message_and_fields_in_order(void **state)
{
    struct capture *capture = *state;
    log_info(
        "result stored", LOG_TEXT("id", "abc"), LOG_INT("size", 512), LOG_BOOL("new", true),
        LOG_BYTES("raw", bytes_of("xyz", 2)), LOG_BOOL("old", 0));
    assert_string_equal(
        next_line(capture), "level=info role=tester msg=\"result stored\" id=abc size=512 new=true "
                            "raw=xy old=false\n");
    assert_string_equal(next_line(capture), "");
}

static void a_line_begins_with_the_time(void **state)
{
    struct capture *capture = *state;
    int64_t before = clock_wall_ms();
    log_info("x");
    next_line(capture);
    int64_t at = 0;
    assert_memory_equal(capture->line, "time=", 5);
    assert_memory_equal(capture->line + 29, " level=", 7);
    capture->line[29] = '\0';
    assert_true(clock_parse_rfc3339(capture->line + 5, &at));
    assert_true(at >= before && at <= clock_wall_ms());
}

static void each_level_has_its_name(void **state)
{
    struct capture *capture = *state;
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_DEBUG, "r");
    log_debug("m");
    assert_string_equal(next_line(capture), "level=debug role=r msg=m\n");
    log_info("m");
    assert_string_equal(next_line(capture), "level=info role=r msg=m\n");
    log_warning("m");
    assert_string_equal(next_line(capture), "level=warning role=r msg=m\n");
    log_error("m");
    assert_string_equal(next_line(capture), "level=error role=r msg=m\n");
}

static void lines_below_the_level_are_not_written(void **state)
{
    struct capture *capture = *state;
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_ERROR, "r");
    log_warning("m");
    log_debug("m", LOG_INT("n", 1));
    assert_string_equal(next_line(capture), "");
    assert_false(log_enabled(LOG_LEVEL_WARNING));
    assert_true(log_enabled(LOG_LEVEL_ERROR));
}

static void an_error_gives_its_message_and_name(void **state)
{
    struct capture *capture = *state;
    struct error error;
    error_set(&error, ERROR_STORE, "disk full");
    log_error("lost", LOG_ERROR(&error));
    assert_string_equal(
        next_line(capture),
        "level=error role=tester msg=lost error=\"disk full\" error_code=store\n");
}

static void logfmt_quotes_what_would_be_ambiguous(void **state)
{
    struct capture *capture = *state;
    log_info(
        "m", LOG_TEXT("a", "x y"), LOG_TEXT("b", "x=y"), LOG_TEXT("c", "x\"y"),
        LOG_TEXT("d", "x\\y"), LOG_TEXT("e", ""), LOG_TEXT("f", NULL));
    assert_string_equal(
        next_line(capture), "level=info role=tester msg=m a=\"x y\" b=\"x=y\" c=\"x\\\"y\" "
                            "d=\"x\\\\y\" e=\"\" f=\"\"\n");
}

static void an_optional_text_that_is_not_there_is_left_out(void **state)
{
    struct capture *capture = *state;
    log_info("m", LOG_OPTIONAL("a", NULL), LOG_OPTIONAL("b", ""), LOG_INT("c", 1));
    assert_string_equal(next_line(capture), "level=info role=tester msg=m b=\"\" c=1\n");
}

static void logfmt_lets_nobody_forge_a_line(void **state)
{
    struct capture *capture = *state;
    log_info(
        "m", LOG_TEXT("a", "x\nlevel=error\r\t"), LOG_TEXT("b", "\x1b[2J\x7f\xc2\x9b\xe2\x80\xae"),
        LOG_BYTES("c", bytes_of("\0\xff", 2)), LOG_TEXT("d", "\xc3\xa9"));
    assert_string_equal(
        next_line(capture),
        "level=info role=tester msg=m a=\"x\\nlevel=error\\r\\t\" "
        "b=\"\\x1b[2J\\x7f\\xc2\\x9b\\xe2\\x80\\xae\" c=\"\\x00\\xff\" d=\"\xc3\xa9\"\n");
}

static void json_lines_are_one_object(void **state)
{
    struct capture *capture = *state;
    log_open(LOG_FORMAT_JSON, LOG_LEVEL_INFO, "r");
    log_info(
        "a b", LOG_TEXT("id", "x\"\n\xff"), LOG_INT("n", -1), LOG_BOOL("t", true),
        LOG_TEXT("none", NULL));
    assert_string_equal(
        next_line(capture), "level\":\"info\",\"role\":\"r\",\"msg\":\"a b\","
                            "\"id\":\"x\\\"\\n\xef\xbf\xbd\",\"n\":-1,\"t\":true,\"none\":\"\"}\n");
    assert_memory_equal(capture->line, "{\"time\":\"", 9);
}

static size_t quotes_in(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += *text == '"';
    return count;
}

/* Slides the place of the cut over every kind of escape. */
static void assert_cuts(struct capture *capture, const char *ending)
{
    static char text[3 * LINE_MAX_BYTES];
    static const char *const units[] = {"x", "\n", "\x01", "\xff", "\xe2\x82\xac", "\\", "\""};
    for (size_t unit = 0; unit < sizeof(units) / sizeof(units[0]); unit++) {
        for (size_t shift = 0; shift < 16; shift++) {
            size_t length = shift;
            memset(text, 'y', shift);
            for (; length + 4 < sizeof(text); length += strlen(units[unit]))
                memcpy(text + length, units[unit], strlen(units[unit]) + 1);
            log_info("m", LOG_TEXT("long", text), LOG_TEXT("after", "dropped"));
            next_line(capture);
            size_t written = strlen(capture->line);
            assert_in_range(written, LINE_MAX_BYTES - 24, LINE_MAX_BYTES);
            assert_string_equal(capture->line + written - strlen(ending), ending);
            assert_null(strstr(capture->line, "dropped"));
            assert_string_equal(next_line(capture), "");
        }
    }
}

static void long_logfmt_lines_are_cut_and_say_so(void **state)
{
    assert_cuts(*state, " cut=true\n");
}

static void long_json_lines_are_cut_and_stay_json(void **state)
{
    struct capture *capture = *state;
    log_open(LOG_FORMAT_JSON, LOG_LEVEL_INFO, "r");
    assert_cuts(capture, "\",\"cut\":true}\n");
    static char text[LINE_MAX_BYTES];
    memset(text, 'x', sizeof(text) - 1);
    log_info(text);
    next_line(capture);
    assert_int_equal(quotes_in(capture->line) % 2, 0);
}

static void the_cut_may_fall_between_any_two_fields(void **state)
{
    struct capture *capture = *state;
    static char text[LINE_MAX_BYTES];
    for (int format = 0; format < 2; format++) {
        log_open((enum log_format)format, LOG_LEVEL_INFO, "r");
        for (size_t length = LINE_MAX_BYTES - 200; length < LINE_MAX_BYTES; length++) {
            memset(text, 'x', length);
            text[length] = '\0';
            log_info(
                "m", LOG_TEXT("a", text), LOG_TEXT("b", " "), LOG_INT("c", 12345),
                LOG_BOOL("d", true), LOG_TEXT("e", "y"));
            next_line(capture);
            size_t written = strlen(capture->line);
            assert_in_range(written, 1, LINE_MAX_BYTES);
            assert_int_equal(capture->line[written - 1], '\n');
            assert_int_equal(quotes_in(capture->line) % 2, 0);
            bool whole = strstr(capture->line, "e=y") || strstr(capture->line, "\"e\":\"y\"");
            bool cut = strstr(capture->line, "cut=true") || strstr(capture->line, "\"cut\":true");
            assert_true(whole != cut);
        }
    }
}

static void a_field_name_that_is_too_long_is_a_cut(void **state)
{
    struct capture *capture = *state;
    char name[400];
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    log_info("m", LOG_INT(name, 1), LOG_INT("after", 2));
    assert_string_equal(next_line(capture), "level=info role=tester msg=m cut=true\n");
}

static void a_standard_error_that_fails_is_no_failure(void **state)
{
    struct capture *capture = *state;
    int kept = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = ENOTTY;
    log_info("m");
    assert_int_equal(errno, ENOTTY);
    dup2(kept, STDERR_FILENO);
    close(kept);
    log_info("n");
    assert_string_equal(next_line(capture), "level=info role=tester msg=n\n");
}

static void levels_and_formats_parse_by_name_only(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_INFO;
    enum log_format format = LOG_FORMAT_LOGFMT;
    assert_true(log_parse_level("debug", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_true(log_parse_level("warning", &level));
    assert_int_equal(level, LOG_LEVEL_WARNING);
    assert_false(log_parse_level("WARNING", &level));
    assert_false(log_parse_level("", &level));
    assert_false(log_parse_level(NULL, &level));
    assert_int_equal(level, LOG_LEVEL_WARNING);
    assert_true(log_parse_format("json", &format));
    assert_int_equal(format, LOG_FORMAT_JSON);
    assert_false(log_parse_format("xml", &format));
    assert_false(log_parse_format(NULL, &format));
    assert_int_equal(format, LOG_FORMAT_JSON);
}

enum { THREADS = 4, LINES_EACH = 200 };

static void *log_lines(void *argument)
{
    (void)argument;
    for (int i = 0; i < LINES_EACH; i++)
        log_info("from a thread", LOG_INT("n", i));
    return NULL;
}

static void threads_do_not_mix_their_lines(void **state)
{
    struct capture *capture = *state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_lines, NULL), 0);
    const char *expected = "level=info role=tester msg=\"from a thread\" n=";
    for (int i = 0; i < THREADS * LINES_EACH; i++) {
        ssize_t got = recv(capture->read_fd, capture->line, sizeof(capture->line) - 1, 0);
        assert_true(got > 30);
        assert_memory_equal(capture->line + 30, expected, strlen(expected));
        log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO, "tester");
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void *log_from_a_fiber(void *argument)
{
    (void)argument;
    for (int i = 0; i < 10; i++)
        log_info("from a fiber");
    return NULL;
}

static void run_a_fiber(void)
{
    struct fibers *fibers = fibers_start("test", 1, NULL);
    assert_non_null(fibers);
    assert_int_equal(fibers_add(fibers, log_from_a_fiber, NULL, 65536), 0);
    fibers_join(fibers);
    fibers_stop(fibers);
}

/* All that can be read now. */
static const char *drain(int fd)
{
    static char all[16 * LINE_MAX_BYTES];
    size_t length = 0;
    char filling[4096];
    ssize_t got;
    while ((got = read(fd, filling, sizeof(filling))) > 0) {
        if (filling[0] == '\0')
            continue; /* what it was filled with */
        assert_true(length + (size_t)got < sizeof(all));
        memcpy(all + length, filling, (size_t)got);
        length += (size_t)got;
    }
    all[length] = '\0';
    return all;
}

/* `fds`: what is read and what standard error becomes. */
static void assert_drops_and_says_so(const int *fds)
{
    int kept = dup(STDERR_FILENO);
    char filling[4096] = {0};
    dup2(fds[1], STDERR_FILENO);
    assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    while (write(STDERR_FILENO, filling, sizeof(filling)) > 0)
        continue;
    assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, 0), 0);
    run_a_fiber(); /* returns */
    assert_string_equal(drain(fds[0]), "");
    run_a_fiber();
    log_info("from a thread");
    dup2(kept, STDERR_FILENO);
    close(kept);
    const char *lines = drain(fds[0]);
    const char *told = strstr(lines, "it is not read\" count=10\n");
    assert_non_null(told);
    assert_non_null(strstr(told, "from a fiber"));
    assert_non_null(strstr(told, "from a thread"));
    assert_null(strstr(told + 1, "it is not read"));
}

static void what_nobody_reads_holds_up_no_fiber(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_drops_and_says_so(fds);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_drops_and_says_so(fds);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_set_before_the_first_line),
        CASE(a_line_holds_message_and_fields_in_order),
        CASE(a_line_begins_with_the_time),
        CASE(each_level_has_its_name),
        CASE(lines_below_the_level_are_not_written),
        CASE(an_error_gives_its_message_and_name),
        CASE(logfmt_quotes_what_would_be_ambiguous),
        CASE(an_optional_text_that_is_not_there_is_left_out),
        CASE(logfmt_lets_nobody_forge_a_line),
        CASE(json_lines_are_one_object),
        CASE(long_logfmt_lines_are_cut_and_say_so),
        CASE(long_json_lines_are_cut_and_stay_json),
        CASE(the_cut_may_fall_between_any_two_fields),
        CASE(a_field_name_that_is_too_long_is_a_cut),
        CASE(a_standard_error_that_fails_is_no_failure),
        CASE(levels_and_formats_parse_by_name_only),
        CASE(threads_do_not_mix_their_lines),
        CASE(what_nobody_reads_holds_up_no_fiber),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
