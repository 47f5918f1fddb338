/* SPDX-License-Identifier: MIT */
#include "callbackd/os.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "callbackd/text.h"

void os_cleanup_fd(int *fd)
{
    os_close(*fd);
    *fd = -1;
}

void os_cleanup_free(void *pointer_to_pointer)
{
    void *pointer;
    memcpy(&pointer, pointer_to_pointer, sizeof(pointer));
    free(pointer);
}

void os_close(int fd)
{
    if (fd < 0)
        return;
    int saved = errno;
    close(fd); /* not again on EINTR: Linux has freed the number by then */
    errno = saved;
}

char *os_path_join(const char *directory, const char *path)
{
    if (path[0] == '/' || !directory || directory[0] == '\0')
        return text_copy(path);
    bool slash = directory[strlen(directory) - 1] == '/';
    return text_format("%s%s%s", directory, slash ? "" : "/", path);
}

int os_memfd(const char *name, struct bytes content, bool seal, struct error *error)
{
    CLEANUP_FD int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot make the memory file %s", name);
    if (os_write_all(fd, content, error) != 0)
        return error_prefix(error, "memory file %s", name);
    int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    if (lseek(fd, 0, SEEK_SET) < 0 || (seal && fcntl(fd, F_ADD_SEALS, seals) != 0))
        return error_set_errno(error, ERROR_IO, errno, "cannot seal the memory file %s", name);
    int made = fd;
    fd = -1; /* NOLINT(clang-analyzer-deadcode.DeadStores): the clean-up reads it */
    return made;
}

int os_set_nonblocking(int fd, bool nonblocking, struct error *error)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0) {
        flags = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
        if (fcntl(fd, F_SETFL, flags) == 0)
            return 0;
    }
    return error_set_errno(error, ERROR_IO, errno, "cannot change a descriptor's blocking mode");
}

void os_keep_memory_private(void)
{
    struct rlimit limit;
    /* The hard limit stays: hooks may be given cores (hooks[].limits.core). */
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &limit);
    }
#ifndef CALLBACKD_SANITIZED /* the leak sanitizer traces us, which only root could then */
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

void os_share_heaps(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    (void)mallopt(M_ARENA_MAX, cpus > 1 ? (int)cpus : 1);
}

void os_random(void *out, size_t count)
{
    unsigned char *to = out;
    while (count > 0) {
        ssize_t got = getrandom(to, count, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            /* Ids that can be guessed are worse than no service. */
            perror("getrandom");
            abort();
        }
        to += got;
        count -= (size_t)got;
    }
}
