/* SPDX-License-Identifier: MIT */
#include "body_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "callbackd/id.h"
#include "callbackd/os.h"

void body_file_remove(int directory_fd, const char *name)
{
    unlinkat(directory_fd, name, 0);
}

static int fill(
    int directory_fd, const char *name, struct bytes content, const struct os_identity *owner,
    struct error *error)
{
    /* O_EXCL, so that nothing that already stands there is written to. */
    CLEANUP_FD int fd = openat(
        directory_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)0400);
    if (fd < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot make the body file %s", name);
    if (os_write_all(fd, content, error) != 0)
        return error_prefix(error, "body file %s", name);
    if (owner && fchown(fd, owner->uid, owner->gid) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot give the body file %s away", name);
    return 0;
}

int body_file_make(
    int directory_fd, const char *name, struct bytes content, const struct os_identity *owner,
    struct error *error)
{
    body_file_remove(directory_fd, name);
    int fd = -1;
    if (fill(directory_fd, name, content, owner, error) == 0) {
        /* Opened anew: reading only, with an offset of its own. */
        fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            error_set_errno(error, ERROR_IO, errno, "cannot open the body file %s", name);
    }
    if (fd < 0)
        body_file_remove(directory_fd, name);
    return fd;
}

int body_file_clear(int directory_fd, struct error *error)
{
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (!directory) {
        os_close(fd);
        return error_set_errno(error, ERROR_IO, errno, "cannot list the runtime directory");
    }
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
    while ((entry = readdir(directory))) {
        struct id id;
        if (id_parse(bytes_of_text(entry->d_name), &id))
            body_file_remove(directory_fd, entry->d_name);
    }
    closedir(directory);
    return 0;
}
