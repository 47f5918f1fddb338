/* SPDX-License-Identifier: MIT */
/* The parts of os.h that read and write files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum { READ_BYTES = 16384 };

/* `offset` -1: from where the descriptor stands. */
static ssize_t read_some(int fd, void *data, size_t length, off_t offset)
{
    ssize_t got;
    do {
        got = offset < 0 ? read(fd, data, length) : pread(fd, data, length, offset);
    } while (got < 0 && errno == EINTR);
    return got;
}

/* The buffer is full: that is fine only if the file ends here too. */
static int expect_end(int fd, struct buffer *out, off_t offset, struct error *error)
{
    char probe;
    ssize_t got = read_some(fd, &probe, 1, offset);
    if (got < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot read");
    if (got == 0)
        return 0;
    out->failed = true;
    return error_set(error, ERROR_TOO_LARGE, "larger than %zu bytes", out->max);
}

static int read_all(int fd, struct buffer *out, bool from_start, struct error *error)
{
    off_t offset = from_start ? 0 : -1;
    if (buffer_reserve(out, 0) != 0)
        return error_set(error, ERROR_MEMORY, "no memory to read into");
    for (;;) {
        size_t room = out->max - out->length;
        if (room == 0)
            return expect_end(fd, out, offset, error);
        size_t want = room < READ_BYTES ? room : READ_BYTES;
        if (buffer_reserve(out, want) != 0)
            return error_set(error, ERROR_MEMORY, "no memory to read into");
        ssize_t got = read_some(fd, out->data + out->length, want, offset);
        if (got < 0)
            return error_set_errno(error, ERROR_IO, errno, "cannot read");
        if (got == 0)
            return 0;
        out->length += (size_t)got;
        out->data[out->length] = '\0';
        offset += from_start ? got : 0;
    }
}

static int read_or_undo(int fd, struct buffer *out, bool from_start, struct error *error)
{
    size_t start = out->length;
    if (read_all(fd, out, from_start, error) == 0)
        return 0;
    buffer_truncate(out, start);
    return -1;
}

int os_read_fd(int fd, struct buffer *out, struct error *error)
{
    return read_or_undo(fd, out, false, error);
}

int os_pread_all(int fd, struct buffer *out, struct error *error)
{
    return read_or_undo(fd, out, true, error);
}

int os_read_file(const char *path, struct buffer *out, struct error *error)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        enum error_code code = errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO;
        return error_set_errno(error, code, errno, "cannot open %s", path);
    }
    if (os_read_fd(fd, out, error) != 0)
        return error_prefix(error, "%s", path);
    return 0;
}

int os_write_all(int fd, struct bytes data, struct error *error)
{
    while (data.length > 0) {
        ssize_t written = write(fd, data.data, data.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return error_set_errno(error, ERROR_IO, errno, "cannot write");
        data.data += written;
        data.length -= (size_t)written;
    }
    return 0;
}

/* The name of the file is on disk only when its directory is. */
static int sync_directory_of(const char *path, struct error *error)
{
    CLEANUP_FREE char *directory = text_copy(path);
    if (!directory)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    char *slash = strrchr(directory, '/');
    if (slash)
        slash[slash == directory ? 1 : 0] = '\0';
    CLEANUP_FD int fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot sync the directory of %s", path);
    return 0;
}

static int fill_file(int fd, struct bytes data, mode_t mode, struct error *error)
{
    if (os_write_all(fd, data, error) != 0)
        return -1;
    if (fchmod(fd, mode) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot set the mode");
    if (fsync(fd) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot sync");
    return 0;
}

int os_write_file_atomic(const char *path, struct bytes data, mode_t mode, struct error *error)
{
    CLEANUP_FREE char *temporary = text_format("%s.XXXXXX", path);
    if (!temporary)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    CLEANUP_FD int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot make a file beside %s", path);
    if (fill_file(fd, data, mode, error) != 0) {
        unlink(temporary);
        return error_prefix(error, "%s", path);
    }
    if (rename(temporary, path) != 0) {
        error_set_errno(error, ERROR_IO, errno, "cannot replace %s", path);
        unlink(temporary);
        return -1;
    }
    return sync_directory_of(path, error);
}

static int make_directory(const char *path, mode_t mode, struct error *error)
{
    if (mkdir(path, mode) == 0)
        return 0;
    int reason = errno;
    struct stat status;
    if (stat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            return 0;
        reason = ENOTDIR;
    }
    return error_set_errno(error, ERROR_IO, reason, "cannot make the directory %s", path);
}

int os_make_directories(const char *path, mode_t mode, struct error *error)
{
    CLEANUP_FREE char *partial = text_copy(path);
    if (!partial)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    if (partial[0] == '\0')
        return error_set(error, ERROR_INVALID, "the path of a directory is empty");
    char *cursor = partial + strspn(partial, "/");
    while (*cursor != '\0') {
        char *end = cursor + strcspn(cursor, "/");
        char kept = *end;
        *end = '\0';
        if (make_directory(partial, mode, error) != 0)
            return -1;
        *end = kept;
        cursor = end + strspn(end, "/");
    }
    return 0;
}
