/* SPDX-License-Identifier: MIT */
/*
 * The few system calls worth wrapping. Every descriptor is close-on-exec from
 * birth. Threads: any, unless it says otherwise.
 */
#ifndef CALLBACKD_OS_H
#define CALLBACKD_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

/* For __attribute__((cleanup)): close a descriptor >= 0, free a pointer, end a buffer. */
void os_cleanup_fd(int *fd);
void os_cleanup_free(void *pointer_to_pointer);
#define CLEANUP_FD __attribute__((cleanup(os_cleanup_fd)))
#define CLEANUP_FREE __attribute__((cleanup(os_cleanup_free)))
#define CLEANUP_BUFFER __attribute__((cleanup(buffer_fini)))

/* close() that takes -1. Keeps errno. */
void os_close(int fd);

/* Appends the file's content. Fails with ERROR_NOT_FOUND when there is none, and with
 * ERROR_TOO_LARGE past the buffer's maximum. */
int os_read_file(const char *path, struct buffer *out, struct error *error);
/* Appends all that is left to read from a descriptor, as above. */
int os_read_fd(int fd, struct buffer *out, struct error *error);
/* Reads the file from its start without moving its offset (memfds, regular files). */
int os_pread_all(int fd, struct buffer *out, struct error *error);
/* Writes everything, through EINTR and short writes. */
int os_write_all(int fd, struct bytes data, struct error *error);
/* Writes a new file under a temporary name beside it, syncs, and renames it over `path`. */
int os_write_file_atomic(const char *path, struct bytes data, mode_t mode, struct error *error);
/* mkdir -p with `mode` for what it makes; an existing directory is fine. */
int os_make_directories(const char *path, mode_t mode, struct error *error);

/* `path` if absolute, else `directory`/`path`. The caller frees; NULL when memory is short. */
char *os_path_join(const char *directory, const char *path);

/* A memfd with this content, sealed against change when `seal`; offset 0. -1 on failure. */
int os_memfd(const char *name, struct bytes content, bool seal, struct error *error);

/* One message with at most one descriptor over a Unix socket that keeps messages apart
 * (SOCK_SEQPACKET or SOCK_DGRAM). `fd` -1: none; it stays the caller's. An empty message is
 * refused. ERROR_BUSY when it would block, ERROR_UNREACHABLE when the other side is gone. */
int os_send_message(int socket_fd, struct bytes message, int fd, struct error *error);
/* Receives one message. 1: got one; 0: the other side is gone; -1: error (ERROR_BUSY when it
 * would block). *fd_out is -1 or the caller's. The message is appended; one that passes the
 * buffer's maximum is dropped with ERROR_TOO_LARGE, one with several descriptors with
 * ERROR_INVALID. */
int os_receive_message(int socket_fd, struct buffer *message, int *fd_out, struct error *error);

int os_set_nonblocking(int fd, bool nonblocking, struct error *error);

/* No core of this process is ever written, and nobody but root may trace it or read its memory or
 * environment. For those who hold secrets, before they do. A program that is executed by it is not
 * concerned, but for a soft limit of 0 for cores. */
void os_keep_memory_private(void);

/* From now on all threads share as many heaps as there are CPUs; glibc would make eight times as
 * many. Of a thousand threads few run at a time: what one gives back, the next one finds in a
 * cache. Before the first thread. */
void os_share_heaps(void);

/* `count` random bytes. Ends the process when the kernel gives none. */
void os_random(void *out, size_t count);

/* Who a process may run as. */
struct os_identity {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* all of them, `gid` too */
    size_t group_count;
    char *name; /* "" for a number that nobody has */
    char *home; /* "/" likewise */
};
/* By name or number; NULL user: our own; NULL group: the user's. ERROR_NOT_FOUND: nobody of that
 * name. ERROR_INVALID: a number without an entry, and no group named. */
int os_identity_find(
    const char *user, const char *group, struct os_identity *identity_out, struct error *error);
void os_identity_fini(struct os_identity *identity); /* a zeroed one is allowed */
/* Can this process start another one as that? Root can; others as themselves only. */
bool os_identity_may_be_taken(const struct os_identity *identity);

#endif
