/* SPDX-License-Identifier: MIT */
/* The parts of os.h that pass messages and descriptors between processes. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "callbackd/os.h"

/* Room for exactly one descriptor: CMSG_SPACE would leave room for a second, which the
 * kernel would then install here. */
enum { CONTROL_BYTES = CMSG_LEN(sizeof(int)) };

union control {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(sizeof(int))];
};

static int send_failed(int errnum, struct error *error)
{
    enum error_code code = ERROR_IO;
    if (errnum == EAGAIN)
        code = ERROR_BUSY;
    else if (errnum == EPIPE || errnum == ECONNRESET || errnum == ECONNREFUSED)
        code = ERROR_UNREACHABLE;
    else if (errnum == EMSGSIZE)
        code = ERROR_TOO_LARGE;
    return error_set_errno(error, code, errnum, "cannot send a message");
}

static void attach_descriptor(struct msghdr *header, union control *control, int fd)
{
    memset(control, 0, sizeof(*control));
    header->msg_control = control->bytes;
    header->msg_controllen = CONTROL_BYTES;
    control->header.cmsg_level = SOL_SOCKET;
    control->header.cmsg_type = SCM_RIGHTS;
    control->header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control->header), &fd, sizeof(fd));
}

int os_send_message(int socket_fd, struct bytes message, int fd, struct error *error)
{
    if (message.length == 0) /* the other side could not tell it from the end */
        return error_set(error, ERROR_INVALID, "an empty message cannot be sent");
    union control control;
    struct iovec part = {.iov_base = (void *)message.data, .iov_len = message.length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0)
        attach_descriptor(&header, &control, fd);
    ssize_t sent;
    do {
        sent = sendmsg(socket_fd, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return send_failed(errno, error);
    if ((size_t)sent != message.length)
        return error_set(error, ERROR_IO, "a message was sent in part");
    return 0;
}

static int receive_failed(int errnum, struct error *error)
{
    if (errnum == ECONNRESET)
        return 0;
    enum error_code code = errnum == EAGAIN ? ERROR_BUSY : ERROR_IO;
    return error_set_errno(error, code, errnum, "cannot receive a message");
}

/* The length of the next message: 0 when the other side is gone, -1 with errno. */
static ssize_t next_length(int socket_fd)
{
    char probe;
    ssize_t length;
    do {
        length = recv(socket_fd, &probe, sizeof(probe), MSG_PEEK | MSG_TRUNC);
    } while (length < 0 && errno == EINTR);
    return length;
}

static int received_descriptor(struct msghdr *header)
{
    int fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
            c->cmsg_len >= CMSG_LEN(sizeof(int)))
            memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    }
    return fd;
}

/* Takes the message off the socket into `data`. `flags_out` says what was cut. */
static ssize_t receive(int socket_fd, void *data, size_t length, int *fd_out, int *flags_out)
{
    union control control;
    struct iovec part = {.iov_base = data, .iov_len = length};
    struct msghdr header = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = CONTROL_BYTES};
    ssize_t got;
    do {
        got = recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got >= 0) {
        *fd_out = received_descriptor(&header);
        *flags_out = header.msg_flags;
    }
    return got;
}

/* A message that does not fit is taken off all the same, or it would block all others. */
static int refuse_message(int socket_fd, const struct buffer *message, struct error *error)
{
    char probe;
    int flags = 0;
    CLEANUP_FD int fd = -1;
    if (receive(socket_fd, &probe, sizeof(probe), &fd, &flags) < 0)
        return receive_failed(errno, error);
    return error_set(error, ERROR_TOO_LARGE, "a message is larger than %zu bytes", message->max);
}

int os_receive_message(int socket_fd, struct buffer *message, int *fd_out, struct error *error)
{
    ssize_t length = next_length(socket_fd);
    if (length < 0)
        return receive_failed(errno, error);
    if (length == 0)
        return 0;
    if ((size_t)length > message->max - message->length)
        return refuse_message(socket_fd, message, error);
    if (buffer_reserve(message, (size_t)length) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for a message");
    int flags = 0;
    CLEANUP_FD int fd = -1;
    ssize_t got = receive(socket_fd, message->data + message->length, (size_t)length, &fd, &flags);
    if (got < 0)
        return receive_failed(errno, error);
    if (flags & (MSG_TRUNC | MSG_CTRUNC)) {
        message->data[message->length] = '\0';
        return error_set(error, ERROR_INVALID, "a message brought more than one descriptor");
    }
    message->length += (size_t)got;
    message->data[message->length] = '\0';
    *fd_out = fd;
    fd = -1;
    return 1;
}
