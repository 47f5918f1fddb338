/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "callbackd/os.h"

struct channel {
    int here;
    int there;
    struct buffer in;
    struct error error;
};

static int begin(void **state)
{
    static struct channel channel;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    channel = (struct channel){.here = pair[0], .there = pair[1]};
    buffer_init(&channel.in, 1000);
    *state = &channel;
    return 0;
}

static int end(void **state)
{
    struct channel *channel = *state;
    os_close(channel->here);
    os_close(channel->there);
    buffer_fini(&channel->in);
    return 0;
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *entries = opendir("/proc/self/fd");
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

static void a_message_arrives_as_one(void **state)
{
    struct channel *c = *state;
    int fd = 5;
    assert_int_equal(os_send_message(c->here, bytes_of_text("first"), -1, &c->error), 0);
    assert_int_equal(os_send_message(c->here, bytes_of_text("second"), -1, &c->error), 0);
    assert_int_equal(os_receive_message(c->there, &c->in, &fd, &c->error), 1);
    assert_string_equal(buffer_text(&c->in), "first");
    assert_int_equal(fd, -1);
    assert_int_equal(os_receive_message(c->there, &c->in, &fd, &c->error), 1);
    assert_string_equal(buffer_text(&c->in), "firstsecond");
}

static void a_descriptor_arrives_and_closes_on_exec(void **state)
{
    struct channel *c = *state;
    CLEANUP_FD int sent = os_memfd("test", bytes_of_text("inside"), true, &c->error);
    CLEANUP_FD int fd = -1;
    assert_int_equal(os_send_message(c->here, bytes_of_text("take"), sent, &c->error), 0);
    assert_int_equal(os_receive_message(c->there, &c->in, &fd, &c->error), 1);
    assert_true(fd >= 0 && fd != sent);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    buffer_clear(&c->in);
    assert_int_equal(os_pread_all(fd, &c->in, &c->error), 0);
    assert_string_equal(buffer_text(&c->in), "inside");
}

static void the_end_of_the_other_side_is_seen_after_its_messages(void **state)
{
    struct channel *c = *state;
    int fd = -1;
    os_send_message(c->here, bytes_of_text("last"), -1, &c->error);
    os_close(c->here);
    c->here = -1;
    assert_int_equal(os_receive_message(c->there, &c->in, &fd, &c->error), 1);
    assert_int_equal(os_receive_message(c->there, &c->in, &fd, &c->error), 0);
    assert_string_equal(buffer_text(&c->in), "last");
}

static void sending_to_nobody_is_unreachable_and_no_signal(void **state)
{
    struct channel *c = *state;
    signal(SIGPIPE, SIG_DFL);
    os_close(c->there);
    c->there = -1;
    assert_int_equal(os_send_message(c->here, bytes_of_text("x"), -1, &c->error), -1);
    assert_int_equal(c->error.code, ERROR_UNREACHABLE);
}

static void nothing_to_receive_is_busy(void **state)
{
    struct channel *c = *state;
    int fd = 5;
    os_set_nonblocking(c->there, true, &c->error);
    assert_int_equal(os_receive_message(c->there, &c->in, &fd, &c->error), -1);
    assert_int_equal(c->error.code, ERROR_BUSY);
    assert_int_equal(fd, 5);
    assert_false(buffer_failed(&c->in));
}

static void a_full_socket_is_busy(void **state)
{
    struct channel *c = *state;
    static char data[1000];
    os_set_nonblocking(c->here, true, &c->error);
    int sent = 0;
    while (sent < 100000 &&
           os_send_message(c->here, bytes_of(data, sizeof(data)), -1, &c->error) == 0)
        sent++;
    assert_true(sent > 0 && sent < 100000);
    assert_int_equal(c->error.code, ERROR_BUSY);
}

static void an_empty_message_is_refused(void **state)
{
    struct channel *c = *state;
    assert_int_equal(os_send_message(c->here, bytes_of(NULL, 0), -1, &c->error), -1);
    assert_int_equal(c->error.code, ERROR_INVALID);
}

static void a_message_that_no_socket_carries_is_too_large(void **state)
{
    struct channel *c = *state;
    size_t length = 64 << 20;
    CLEANUP_FREE char *data = calloc(1, length);
    os_set_nonblocking(c->here, true, &c->error);
    assert_int_equal(os_send_message(c->here, bytes_of(data, length), -1, &c->error), -1);
    assert_int_equal(c->error.code, ERROR_TOO_LARGE);
}

static void a_message_of_exactly_the_maximum_is_taken(void **state)
{
    struct channel *c = *state;
    char data[1000];
    int fd = -1;
    memset(data, 'x', sizeof(data));
    os_send_message(c->here, bytes_of(data, sizeof(data)), -1, &c->error);
    assert_int_equal(os_receive_message(c->there, &c->in, &fd, &c->error), 1);
    assert_int_equal(c->in.length, sizeof(data));
}

static void a_message_past_the_maximum_is_dropped_with_its_descriptor(void **state)
{
    struct channel *c = *state;
    char data[1001] = {0};
    int fd = 5;
    size_t before = open_descriptors();
    os_send_message(c->here, bytes_of(data, sizeof(data)), STDIN_FILENO, &c->error);
    os_send_message(c->here, bytes_of_text("next"), -1, &c->error);
    assert_int_equal(os_receive_message(c->there, &c->in, &fd, &c->error), -1);
    assert_int_equal(c->error.code, ERROR_TOO_LARGE);
    assert_int_equal(fd, 5);
    assert_int_equal(c->in.length, 0);
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(os_receive_message(c->there, &c->in, &fd, &c->error), 1);
    assert_string_equal(buffer_text(&c->in), "next");
}

static void several_descriptors_are_refused_and_none_leaks(void **state)
{
    struct channel *c = *state;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control = {0};
    int sent[3] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    struct iovec part = {.iov_base = "x", .iov_len = 1};
    struct msghdr header = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes)};
    control.header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(sent)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), sent, sizeof(sent));
    size_t before = open_descriptors();
    int fd = 5;
    assert_int_equal(sendmsg(c->here, &header, 0), 1);
    assert_int_equal(os_receive_message(c->there, &c->in, &fd, &c->error), -1);
    assert_int_equal(c->error.code, ERROR_INVALID);
    assert_int_equal(fd, 5);
    assert_int_equal(c->in.length, 0);
    assert_int_equal(open_descriptors(), before);
}

static void a_descriptor_that_is_not_open_cannot_be_sent(void **state)
{
    struct channel *c = *state;
    assert_int_equal(os_send_message(c->here, bytes_of_text("x"), 9999, &c->error), -1);
    assert_int_equal(c->error.code, ERROR_IO);
}

static void a_socket_that_is_not_open_is_an_error(void **state)
{
    struct channel *c = *state;
    int fd = 5;
    assert_int_equal(os_receive_message(-1, &c->in, &fd, &c->error), -1);
    assert_int_equal(c->error.code, ERROR_IO);
    assert_int_equal(os_send_message(-1, bytes_of_text("x"), -1, &c->error), -1);
    assert_int_equal(c->error.code, ERROR_IO);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(a_message_arrives_as_one),
        CASE(a_descriptor_arrives_and_closes_on_exec),
        CASE(the_end_of_the_other_side_is_seen_after_its_messages),
        CASE(sending_to_nobody_is_unreachable_and_no_signal),
        CASE(nothing_to_receive_is_busy),
        CASE(a_full_socket_is_busy),
        CASE(an_empty_message_is_refused),
        CASE(a_message_that_no_socket_carries_is_too_large),
        CASE(a_message_of_exactly_the_maximum_is_taken),
        CASE(a_message_past_the_maximum_is_dropped_with_its_descriptor),
        CASE(several_descriptors_are_refused_and_none_leaks),
        CASE(a_descriptor_that_is_not_open_cannot_be_sent),
        CASE(a_socket_that_is_not_open_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
