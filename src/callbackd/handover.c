/* SPDX-License-Identifier: MIT */
#include "handover.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/log.h"
#include "callbackd/os.h"
#include "callbackd/text.h"

enum { CONFIG_MAX_BYTES = 16 * 1024 * 1024, MESSAGE_MAX_BYTES = 65536, MEMORY_PAUSE_MS = 50 };

static const char reload_message[] = "reload "; /* and the public URL */

static const char *const message_names[] = {
    [HANDOVER_READY] = "ready",
    [HANDOVER_DRAIN] = "drain",
    [HANDOVER_STOP] = "stop",
};
enum { MESSAGE_NAMES = sizeof(message_names) / sizeof(message_names[0]) };

static int send_fd(int control_fd, const char *name, int fd, struct error *error)
{
    return os_send_message(control_fd, bytes_of_text(name), fd, error);
}

/* A configuration travels in a sealed memfd: it may be large, and it is never on a disk. */
static int send_config(
    int control_fd, const char *name, const struct config *config, enum config_role role,
    struct error *error)
{
    CLEANUP_BUFFER struct buffer packed;
    buffer_init_secret(&packed, CONFIG_MAX_BYTES);
    if (config_pack(config, role, &packed, error) != 0)
        return -1;
    CLEANUP_FD int fd = os_memfd("callbackd-config", buffer_bytes(&packed), true, error);
    return fd < 0 ? -1 : send_fd(control_fd, name, fd, error);
}

static int send_listeners(int control_fd, const struct listeners *listeners, struct error *error)
{
    for (size_t i = 0; i < listeners->count; i++)
        if (send_fd(control_fd, "listener", listeners->fds[i], error) != 0)
            return -1;
    return 0;
}

int handover_send(int control_fd, const struct handover_offer *offer, struct error *error)
{
    bool receiver = offer->role == CONFIG_ROLE_RECEIVER;
    CLEANUP_FREE char *url = text_format("public_url %s", offer->public_url);
    if (url == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a child's configuration");
    if (send_config(control_fd, "config", offer->config, offer->role, error) != 0 ||
        send_fd(control_fd, url, -1, error) != 0 ||
        send_fd(control_fd, "metrics", offer->metrics_fd, error) != 0 ||
        send_fd(control_fd, "wake", offer->wake_fd, error) != 0 ||
        send_fd(control_fd, "lock", offer->lock_fd, error) != 0)
        return -1;
    if (receiver ? send_listeners(control_fd, offer->listeners, error) != 0
                 : send_fd(control_fd, "admin", offer->listeners->admin, error) != 0)
        return -1;
    return send_fd(control_fd, "start", -1, error);
}

static struct config *read_config(int fd, struct error *error)
{
    CLEANUP_BUFFER struct buffer packed;
    buffer_init_secret(&packed, CONFIG_MAX_BYTES);
    if (os_pread_all(fd, &packed, error) != 0)
        return NULL;
    return config_unpack(buffer_bytes(&packed), error);
}

static int add_listener(struct handover *handover, int fd, struct error *error)
{
    int *grown = realloc(handover->listeners, (handover->listener_count + 1) * sizeof(int));
    if (grown == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for listeners");
    handover->listeners = grown;
    handover->listeners[handover->listener_count++] = fd;
    return 0;
}

/* Puts one message where it belongs. 1: it was "start". */
static int take_message(struct handover *handover, const char *name, int fd, struct error *error)
{
    if (strcmp(name, "start") == 0)
        return 1;
    if (strcmp(name, "config") == 0) {
        handover->config = read_config(fd, error);
        os_close(fd);
        return handover->config != NULL ? 0 : -1;
    }
    if (strncmp(name, "public_url ", 11) == 0) {
        handover->public_url = text_copy(name + 11);
        return handover->public_url != NULL ? 0 : error_set(error, ERROR_MEMORY, "no memory");
    }
    if (strcmp(name, "listener") == 0)
        return add_listener(handover, fd, error);
    if (strcmp(name, "metrics") == 0)
        handover->metrics_fd = fd;
    else if (strcmp(name, "wake") == 0)
        handover->wake_fd = fd;
    else if (strcmp(name, "lock") == 0)
        handover->lock_fd = fd;
    else if (strcmp(name, "admin") == 0)
        handover->admin = fd;
    else
        return error_set(error, ERROR_INTERNAL, "unexpected message of the supervisor");
    return 0;
}

int handover_receive(int control_fd, struct handover *handover_out, struct error *error)
{
    struct handover handover = {.metrics_fd = -1, .wake_fd = -1, .lock_fd = -1, .admin = -1};
    int taken = 0;
    while (taken == 0) {
        CLEANUP_BUFFER struct buffer message;
        buffer_init(&message, MESSAGE_MAX_BYTES);
        int fd = -1;
        int got = os_receive_message(control_fd, &message, &fd, error);
        if (got == 0)
            error_set(error, ERROR_IO, "the supervisor is gone");
        taken = got == 1 ? take_message(&handover, buffer_text(&message), fd, error) : -1;
    }
    if (taken == 1 && handover.config == NULL)
        taken = error_set(error, ERROR_INTERNAL, "no configuration came");
    if (taken < 0) {
        handover_fini(&handover);
        return -1;
    }
    *handover_out = handover;
    return 0;
}

void handover_fini(struct handover *handover)
{
    config_free(handover->config);
    free(handover->public_url);
    for (size_t i = 0; i < handover->listener_count; i++)
        os_close(handover->listeners[i]);
    free(handover->listeners);
    os_close(handover->metrics_fd);
    os_close(handover->wake_fd);
    os_close(handover->lock_fd);
    os_close(handover->admin);
    *handover = (struct handover){.metrics_fd = -1, .wake_fd = -1, .lock_fd = -1, .admin = -1};
}

int handover_say(int control_fd, enum handover_message message, struct error *error)
{
    return send_fd(control_fd, message_names[message], -1, error);
}

int handover_say_reload(
    int control_fd, const struct config *config, enum config_role role, const char *public_url,
    struct error *error)
{
    CLEANUP_FREE char *message = text_format("%s%s", reload_message, public_url);
    if (message == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a child's configuration");
    return send_config(control_fd, message, config, role, error);
}

static enum handover_message take_reload(
    const char *public_url, int fd, struct handover_reload *reload_out)
{
    struct error error = {0};
    struct handover_reload reload = {
        .config = read_config(fd, &error), .public_url = text_copy(public_url)};
    if (reload.config != NULL && reload.public_url == NULL)
        error_set(&error, ERROR_MEMORY, "no memory for the public URL");
    if (reload.config != NULL && reload.public_url != NULL) {
        *reload_out = reload;
        return HANDOVER_RELOAD;
    }
    handover_reload_fini(&reload);
    log_error("new configuration unreadable", LOG_ERROR(&error));
    return HANDOVER_NONE;
}

enum handover_message handover_listen(int control_fd, struct handover_reload *reload_out)
{
    struct error error = {0};
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, MESSAGE_MAX_BYTES);
    CLEANUP_FD int fd = -1;
    int got = os_receive_message(control_fd, &text, &fd, &error);
    /* The message is still there. */
    if (got < 0 && error.code == ERROR_MEMORY) {
        (void)poll(NULL, 0, MEMORY_PAUSE_MS);
        return HANDOVER_NONE;
    }
    if (got < 0)
        return error.code == ERROR_BUSY ? HANDOVER_NONE : HANDOVER_GONE;
    if (got == 0)
        return HANDOVER_GONE;
    for (int i = HANDOVER_READY; i < MESSAGE_NAMES; i++)
        if (message_names[i] != NULL && strcmp(buffer_text(&text), message_names[i]) == 0)
            return (enum handover_message)i;
    size_t prefix = strlen(reload_message);
    if (reload_out != NULL && strncmp(buffer_text(&text), reload_message, prefix) == 0)
        return take_reload(buffer_text(&text) + prefix, fd, reload_out);
    return HANDOVER_NONE;
}

void handover_reload_fini(struct handover_reload *reload)
{
    config_free(reload->config);
    free(reload->public_url);
    *reload = (struct handover_reload){0};
}

void handover_take(struct handover *handover, struct handover_reload *reload)
{
    config_free(handover->config);
    free(handover->public_url);
    handover->config = reload->config;
    handover->public_url = reload->public_url;
    *reload = (struct handover_reload){0};
}
