/* SPDX-License-Identifier: MIT */
#include "listener_takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "civetweb/renamed_calls.h"

/* Not NULL between begin and end, on the thread that starts a server. */
static _Thread_local struct listener_takeover *starting;

static int check_listener(const struct http_socket *socket, struct error *error)
{
    int listens = 0;
    socklen_t length = sizeof(listens);
    if (getsockopt(socket->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0)
        return error_set_errno(error, ERROR_CONFIG, errno, "descriptor %d", socket->fd);
    if (!listens)
        return error_set(
            error, ERROR_CONFIG, "descriptor %d is not a listening socket", socket->fd);
    /* Another process may take the connection between our poll and our accept. */
    return os_set_nonblocking(socket->fd, true, error);
}

int listener_takeover_init(
    struct listener_takeover *takeover, const struct http_socket *sockets, size_t count,
    struct error *error)
{
    *takeover = (struct listener_takeover){.sockets = sockets, .count = count, .inert_fd = -1};
    if (count == 0)
        return error_set(error, ERROR_CONFIG, "no socket to listen on");
    for (size_t i = 0; i < count; i++) {
        if (check_listener(&sockets[i], error))
            return -1;
    }
    takeover->fds = calloc(count, sizeof(*takeover->fds));
    takeover->tls = calloc(count, sizeof(*takeover->tls));
    if (!takeover->fds || !takeover->tls)
        return error_set(error, ERROR_MEMORY, "out of memory");
    takeover->inert_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (takeover->inert_fd < 0)
        return error_set_errno(error, ERROR_IO, errno, "eventfd");
    return 0;
}

void listener_takeover_fini(struct listener_takeover *takeover)
{
    os_close(takeover->inert_fd);
    free(takeover->fds);
    free(takeover->tls);
    *takeover = (struct listener_takeover){.inert_fd = -1};
}

int listener_takeover_ports(const struct listener_takeover *takeover, struct buffer *out)
{
    for (size_t i = 0; i < takeover->count; i++)
        buffer_appendf(out, "%s%zu%s", i ? "," : "", i + 1, takeover->sockets[i].tls ? "s" : "");
    return buffer_failed(out) ? -1 : 0;
}

void listener_takeover_begin(struct listener_takeover *takeover)
{
    starting = takeover;
}

void listener_takeover_end(struct listener_takeover *takeover)
{
    starting = NULL;
    takeover->sockets = NULL;
}

bool listener_takeover_is_tls(const struct listener_takeover *takeover, int fd)
{
    for (size_t i = 0; i < takeover->next; i++) {
        if (takeover->fds[i] == fd)
            return takeover->tls[i];
    }
    return false;
}

void listener_takeover_drain(struct listener_takeover *takeover)
{
    /* The number stays what civetweb knows, so it polls what can never be accepted from.
     * Closing it instead would let it poll a stranger's descriptor. */
    for (size_t i = 0; i < takeover->next; i++) {
        while (dup3(takeover->inert_fd, takeover->fds[i], O_CLOEXEC) < 0 && errno == EBUSY)
            continue;
    }
}

void listener_takeover_wake(struct listener_takeover *takeover)
{
    uint64_t one = 1;
    while (write(takeover->inert_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
}

/* ---- what civetweb calls in place of the system's functions ---- */

int takeover_socket(int domain, int type, int protocol)
{
    (void)domain, (void)type, (void)protocol;
    /* Outside of a start this would be a connection that civetweb makes: it makes none. */
    if (!starting || starting->next == starting->count) {
        errno = EACCES;
        return -1;
    }
    const struct http_socket *socket = &starting->sockets[starting->next];
    int fd = fcntl(socket->fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) {
        starting->tls[starting->next] = socket->tls;
        starting->fds[starting->next++] = fd;
    }
    return fd;
}

int takeover_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)fd, (void)address, (void)length;
    return 0;
}

int takeover_listen(int fd, int backlog)
{
    (void)fd, (void)backlog;
    return 0;
}

int takeover_getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
    if (!starting)
        return getsockname(fd, address, length);
    /* It compares the family with that of the port it was told: any of ours is IPv4 there. */
    address->sa_family = AF_INET;
    return 0;
}

int takeover_remove(const char *path)
{
    (void)path;
    errno = EPERM;
    return -1;
}
