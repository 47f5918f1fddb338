/* SPDX-License-Identifier: MIT */
/*
 * flock() and not a record lock: it belongs to the open file, so it passes to a
 * program executed with the descriptor and lasts until the last copy is closed;
 * a record lock of the process would be lost with any close() of the file, and an
 * open-file one buys nothing more. The pid in the file is for people and messages;
 * it is not what locks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "callbackd/store.h"
#include "callbackd/text.h"
#include "callbackd/upkeep.h"
#include "paths.h"

enum { POLL_MS = 20, PID_BYTES = 32 };

static void read_holder(int fd, char holder[static PID_BYTES])
{
    ssize_t count = pread(fd, holder, PID_BYTES - 1, 0);

    holder[count > 0 ? count : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
}

/* There is no flock() with a time limit, and SIGALRM is not ours to use. *held_out: by another,
 * until the end. */
static int wait_for_lock(
    int fd, const char *path, int64_t wait_ms, bool *held_out, struct error *error)
{
    const struct timespec step = {.tv_nsec = POLL_MS * 1000000L};
    int64_t until_ms = clock_monotonic_ms() + wait_ms;

    *held_out = false;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_set_errno(error, ERROR_IO, errno, "cannot lock %s", path);
        *held_out = clock_monotonic_ms() >= until_ms;
        if (*held_out)
            return 0;
        (void)nanosleep(&step, NULL);
    }
    return 0;
}

static int refuse_held(int fd, const char *path, struct error *error)
{
    char holder[PID_BYTES];

    read_holder(fd, holder);
    return error_set(
        error, ERROR_CONFLICT, "%s is held by process %s", path,
        holder[0] != '\0' ? holder : "(unknown)");
}

static int write_holder(int fd, const char *path, struct error *error)
{
    char text[PID_BYTES];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length)
        return error_set_errno(error, ERROR_IO, errno, "cannot write %s", path);
    return 0;
}

int store_lock(
    const char *directory, const char *name, int64_t wait_ms, int *fd_out, struct error *error)
{
    CLEANUP_FREE char *file = text_format("%s.lock", name);
    CLEANUP_FREE char *path = file != NULL ? os_path_join(directory, file) : NULL;
    bool held;
    int fd;

    if (path == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot open %s", path);
    if (wait_for_lock(fd, path, wait_ms, &held, error) < 0 ||
        (held && refuse_held(fd, path, error) < 0)) {
        os_close(fd);
        return -1;
    }
    /* A full disk does not make the lock less held. */
    (void)write_holder(fd, path, NULL);
    *fd_out = fd;
    return 0;
}

/* The folder itself is locked: it is there, whoever makes a copy (root, say) leaves no file of his
 * behind, and closing it drops none of SQLite's locks. */
int store_hold_removal(const char *directory, int64_t wait_ms, int *fd_out, struct error *error)
{
    CLEANUP_FREE char *path = os_path_join(directory, STORE_STATE_DIRECTORY);
    bool held;
    int fd;

    if (path == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, ERROR_IO, errno, "%s", path);
    if (wait_for_lock(fd, path, wait_ms, &held, error) < 0 ||
        (held &&
         error_set(error, ERROR_BUSY, "%s is being copied, or cleared, by another", path) < 0)) {
        os_close(fd);
        return -1;
    }
    *fd_out = fd;
    return 0;
}
