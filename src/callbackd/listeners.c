/* SPDX-License-Identifier: MIT */
#include "listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "callbackd/json_writer.h"
#include "callbackd/os.h"
#include "callbackd/text.h"

enum { LISTEN_BACKLOG = 4096 };

static int fill_tcp_address(
    const struct config_listener *listener, struct sockaddr_storage *address, socklen_t *length)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, listener->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)listener->port);
        *length = sizeof(*v4);
        return 0;
    }
    if (inet_pton(AF_INET6, listener->host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)listener->port);
        *length = sizeof(*v6);
        return 0;
    }
    return -1;
}

static int open_tcp(const struct config_listener *listener, struct error *error)
{
    struct sockaddr_storage address;
    socklen_t length;
    if (fill_tcp_address(listener, &address, &length) != 0)
        return error_set(error, ERROR_CONFIG, "%s is not an address", listener->address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (address.ss_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        error_set_errno(error, ERROR_IO, errno, "cannot listen on %s", listener->address);
        os_close(fd);
        return -1;
    }
    return fd;
}

static int set_owner(const struct config_listener *listener, struct error *error)
{
    if (listener->group != NULL) {
        struct group *group = getgrnam(listener->group);
        if (group == NULL)
            return error_set(error, ERROR_CONFIG, "there is no group %s", listener->group);
        if (chown(listener->unix_path, (uid_t)-1, group->gr_gid) != 0)
            return error_set_errno(
                error, ERROR_IO, errno, "cannot give %s to group %s", listener->unix_path,
                listener->group);
    }
    if (chmod(listener->unix_path, listener->mode) != 0)
        return error_set_errno(
            error, ERROR_IO, errno, "cannot set the mode of %s", listener->unix_path);
    return 0;
}

/* A socket file without a listener behind it is left over from a crash: remove it. */
static int remove_stale(const struct sockaddr_un *address, struct error *error)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0)
        return 0;
    if (!S_ISSOCK(status.st_mode))
        return error_set(error, ERROR_IO, "%s is there and is not a socket", address->sun_path);
    /* Refused is the one answer that says so: somebody may be too busy, or not let us in. */
    CLEANUP_FD int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot make a socket");
    if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
        errno != ECONNREFUSED)
        return error_set(error, ERROR_CONFLICT, "somebody listens on %s", address->sun_path);
    if (unlink(address->sun_path) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot remove %s", address->sun_path);
    return 0;
}

static int open_unix(const struct config_listener *listener, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(listener->unix_path) >= sizeof(address.sun_path))
        return error_set(
            error, ERROR_CONFIG, "%s is longer than a Unix socket's path may be",
            listener->unix_path);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", listener->unix_path);
    if (remove_stale(&address, error) != 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Nobody may connect between bind and chmod. */
    mode_t old_mask = umask(0177);
    int bound = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof(address));
    umask(old_mask);
    int outcome = 0;
    if (bound != 0 || listen(fd, LISTEN_BACKLOG) != 0)
        outcome =
            error_set_errno(error, ERROR_IO, errno, "cannot listen on %s", listener->unix_path);
    else
        outcome = set_owner(listener, error);
    if (outcome == 0)
        return fd;
    os_close(fd);
    if (bound == 0)
        unlink(address.sun_path);
    return -1;
}

static int open_listener(const struct config_listener *listener, struct error *error)
{
    return listener->unix_path != NULL ? open_unix(listener, error) : open_tcp(listener, error);
}

/* As it is configured: port 0 is one place, whichever it became. NULL: no memory. */
static char *place_of(const struct config_listener *listener)
{
    if (listener->unix_path != NULL)
        return text_format("unix %s", listener->unix_path);
    return text_format("tcp %s %d", listener->host, listener->port);
}

/* The index in `old` of an open socket for the same place that is not taken yet; -1: none. */
static int find_old(const char *place, const struct listeners *old, const bool *taken)
{
    for (size_t k = 0; old != NULL && k < old->count + old->leaving; k++)
        if (!taken[k] && old->fds[k] >= 0 && strcmp(place, old->places[k]) == 0)
            return (int)k;
    return -1;
}

/* Opens or finds each; `from` says which one of `old` was found, so that a failure can leave
 * `old` untouched. */
static int open_public(
    const struct config *config, const struct listeners *old, struct listeners *listeners,
    int *from, bool *taken, struct error *error)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        listeners->places[i] = place_of(&config->listeners[i]);
        if (listeners->places[i] == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for a listener");
        from[i] = find_old(listeners->places[i], old, taken);
        if (from[i] >= 0) {
            taken[from[i]] = true;
            continue;
        }
        listeners->fds[i] = open_listener(&config->listeners[i], error);
        if (listeners->fds[i] < 0)
            return -1;
    }
    return 0;
}

static bool is_taken_unix(const struct config *config, const int *from, size_t i)
{
    return from[i] >= 0 && config->listeners[i].unix_path != NULL;
}

/* Before any is changed: a reload that is refused leaves them as they are. */
static int check_taken(const struct config *config, const int *from, struct error *error)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        const char *path = config->listeners[i].unix_path;
        if (is_taken_unix(config, from, i) && access(path, F_OK) != 0)
            return error_set_errno(
                error, ERROR_IO, errno, "%s (reload without it, then with it)", path);
    }
    return 0;
}

/* Mode and group of Unix sockets that are taken over may be others now. */
static int own_taken(const struct config *config, const int *from, struct error *error)
{
    if (check_taken(config, from, error) != 0)
        return -1;
    for (size_t i = 0; i < config->listener_count; i++)
        if (is_taken_unix(config, from, i) && set_owner(&config->listeners[i], error) != 0)
            return -1;
    return 0;
}

static void forget(struct listeners *listeners)
{
    for (size_t i = 0; listeners->places != NULL && i < listeners->count + listeners->leaving; i++)
        free(listeners->places[i]);
    free(listeners->places);
    free(listeners->fds);
    *listeners = (struct listeners){.admin = -1};
}

static int make_room(
    struct listeners *listeners, size_t count, size_t old_count, struct error *error)
{
    *listeners = (struct listeners){
        .fds = calloc(count + old_count, sizeof(*listeners->fds)),
        .places = calloc(count + old_count, sizeof(*listeners->places)),
        .count = count,
        .admin = -1,
    };
    if (listeners->fds == NULL || listeners->places == NULL) {
        forget(listeners);
        error_set(error, ERROR_MEMORY, "no memory for listeners");
        return -1;
    }
    for (size_t i = 0; i < count + old_count; i++)
        listeners->fds[i] = -1;
    return 0;
}

/* What was found goes to its place, and what was not behind all that. */
static void take_over(struct listeners *listeners, struct listeners *old, const int *from)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (from[i] < 0)
            continue;
        listeners->fds[i] = old->fds[from[i]];
        old->fds[from[i]] = -1;
    }
    for (size_t k = 0; k < old->count + old->leaving; k++) {
        if (old->fds[k] < 0)
            continue;
        size_t last = listeners->count + listeners->leaving++;
        listeners->fds[last] = old->fds[k];
        listeners->places[last] = old->places[k];
        old->places[k] = NULL;
    }
    if (listeners->admin < 0)
        listeners->admin = old->admin;
    forget(old);
}

int listeners_open(
    const struct config *config, bool with_receiver, bool with_admin, struct listeners *old,
    struct listeners *listeners_out, struct error *error)
{
    size_t count = config->listener_count;
    size_t old_count = old != NULL ? old->count + old->leaving : 0;
    struct listeners opened;
    if (make_room(&opened, count, old_count, error) != 0)
        return -1;
    CLEANUP_FREE int *from = calloc(count, sizeof(int));
    CLEANUP_FREE bool *taken = calloc(old_count + 1, sizeof(bool));
    if (from == NULL || taken == NULL) {
        listeners_close(&opened);
        return error_set(error, ERROR_MEMORY, "no memory for listeners");
    }
    for (size_t i = 0; i < count; i++)
        from[i] = -1;
    bool keep_admin = old != NULL && old->admin >= 0;
    if ((with_receiver && open_public(config, old, &opened, from, taken, error) != 0) ||
        (with_admin && !keep_admin &&
         (opened.admin = open_listener(&config->admin.listener, error)) < 0) ||
        own_taken(config, from, error) != 0) {
        listeners_close(&opened);
        return -1;
    }
    if (old != NULL)
        take_over(&opened, old, from);
    *listeners_out = opened;
    return 0;
}

static bool is_unix_socket(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    return fd >= 0 && getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
           address.ss_family == AF_UNIX;
}

/* Where the kernel says that it listens: the configuration may have moved on. */
static void close_listener(int fd)
{
    CLEANUP_FREE char *path = is_unix_socket(fd) ? listener_address(fd) : NULL;
    if (path != NULL)
        unlink(path);
    /* Closed only by us it would go on to listen, for a receiver that has it and does not accept
     * any more: who connects then would wait for nobody. */
    if (fd >= 0)
        (void)shutdown(fd, SHUT_RD);
    os_close(fd);
}

static void close_from(struct listeners *listeners, size_t first)
{
    for (size_t i = first; i < listeners->count + listeners->leaving; i++) {
        close_listener(listeners->fds[i]);
        listeners->fds[i] = -1;
    }
}

void listeners_close_leaving(struct listeners *listeners)
{
    close_from(listeners, listeners->count);
}

void listeners_close_public(struct listeners *listeners)
{
    close_from(listeners, 0);
}

void listeners_close(struct listeners *listeners)
{
    listeners_close_public(listeners);
    close_listener(listeners->admin);
    forget(listeners);
}

char *listener_address(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    char host[INET6_ADDRSTRLEN];
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return text_copy("");
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        return text_format("%s:%u", host, ntohs(v4->sin_port));
    }
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        return text_format("[%s]:%u", host, ntohs(v6->sin6_port));
    }
    return text_copy(((const struct sockaddr_un *)&address)->sun_path);
}

char *listeners_public_url(const struct listeners *listeners, const struct config *config)
{
    if (config->public_url != NULL)
        return text_copy(config->public_url);
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        if (listener->unix_path != NULL)
            continue;
        CLEANUP_FREE char *real = listeners->fds[i] >= 0 ? listener_address(listeners->fds[i])
                                                         : text_copy(listener->address);
        return text_format("%s://%s", listener->tls.enabled ? "https" : "http", real);
    }
    return text_copy("http://localhost");
}

/* As it is where it is open; an admin listener stays where it was after a reload. */
static void write_listener(
    struct json_writer *writer, const struct config_listener *listener, int fd)
{
    CLEANUP_FREE char *address = listener_address(fd);
    bool is_unix = fd >= 0 ? is_unix_socket(fd) : listener->unix_path != NULL;
    const char *unix_path = fd >= 0 ? address : listener->unix_path;
    json_object_begin(writer);
    json_member_text(writer, "address", is_unix ? "" : address);
    json_member_text(writer, "unix", is_unix ? unix_path : "");
    json_member_bool(writer, "tls", listener->tls.enabled);
    json_object_end(writer);
}

int listeners_announce(
    const struct listeners *listeners, const struct config *config, const char *public_url,
    struct error *error)
{
    CLEANUP_BUFFER struct buffer json;
    buffer_init(&json, (size_t)1024 * 1024);
    struct json_writer writer;
    json_writer_init(&writer, &json);
    json_object_begin(&writer);
    json_member_int(&writer, "pid", getpid());
    json_member_text(&writer, "public_url", public_url);
    json_key(&writer, "admin");
    write_listener(&writer, &config->admin.listener, listeners->admin);
    json_key(&writer, "listeners");
    json_array_begin(&writer);
    for (size_t i = 0; i < listeners->count; i++)
        write_listener(&writer, &config->listeners[i], listeners->fds[i]);
    json_array_end(&writer);
    json_object_end(&writer);
    const char *name = listeners->admin >= 0 ? "listeners.json" : "listeners.receiver.json";
    CLEANUP_FREE char *path = os_path_join(config->store.directory, name);
    if (path == NULL || buffer_failed(&json))
        return error_set(error, ERROR_MEMORY, "no memory for listeners.json");
    return os_write_file_atomic(path, buffer_bytes(&json), 0600, error);
}
