/* SPDX-License-Identifier: MIT */
/*
 * Included by the build before every file of civetweb: the system calls that it makes on
 * sockets become calls of ours, with the same meaning for their caller. That is how it
 * takes over listeners that somebody else bound (listener_takeover.c), and how deadlines,
 * descriptors and the ends of connections are kept here (watched_calls.c). Likewise where its
 * threads wait for each other, which of those that are idle is woken (idle_threads.c), and where it
 * makes them, what they are (civetweb_threads.c).
 *
 * The macros take arguments, so civetweb's `struct socket` and the like stay as they are.
 */
#ifndef CALLBACKD_HTTP_RENAMED_CALLS_H
#define CALLBACKD_HTTP_RENAMED_CALLS_H

/* What declares the originals comes first, or the macros would hit those. */
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

int takeover_socket(int domain, int type, int protocol);
int takeover_bind(int fd, const struct sockaddr *address, socklen_t length);
int takeover_listen(int fd, int backlog);
int takeover_getsockname(int fd, struct sockaddr *address, socklen_t *length);
int takeover_remove(const char *path);

int watched_accept(int fd, struct sockaddr *address, socklen_t *length);
int watched_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
ssize_t watched_recv(int fd, void *data, size_t length, int flags);
int watched_ssl_read(SSL *ssl, void *data, int length);
int watched_ssl_pending(const SSL *ssl);
int watched_close(int fd);

int idle_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int idle_cond_signal(pthread_cond_t *condition);
int idle_cond_broadcast(pthread_cond_t *condition);

int served_thread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int served_thread_join(pthread_t thread, void **result);
int served_thread_setspecific(pthread_key_t key, const void *value);
void *served_thread_getspecific(pthread_key_t key);

#ifdef CALLBACKD_RENAME_CALLS
#define socket(domain, type, protocol) takeover_socket(domain, type, protocol)
#define bind(fd, address, length) takeover_bind(fd, address, length)
#define listen(fd, backlog) takeover_listen(fd, backlog)
#define getsockname(fd, address, length) takeover_getsockname(fd, address, length)
#define remove(path) takeover_remove(path)

#define accept(fd, address, length) watched_accept(fd, address, length)
#define poll(fds, count, timeout_ms) watched_poll(fds, count, timeout_ms)
#define recv(fd, data, length, flags) watched_recv(fd, data, length, flags)
#define SSL_read(ssl, data, length) watched_ssl_read(ssl, data, length)
#define SSL_pending(ssl) watched_ssl_pending(ssl)
#define close(fd) watched_close(fd)

#define pthread_cond_wait(condition, mutex) idle_cond_wait(condition, mutex)
#define pthread_cond_signal(condition) idle_cond_signal(condition)
#define pthread_cond_broadcast(condition) idle_cond_broadcast(condition)

#define pthread_create(thread, attributes, run, argument)                                          \
    served_thread_create(thread, attributes, run, argument)
#define pthread_join(thread, result) served_thread_join(thread, result)
#define pthread_setspecific(key, value) served_thread_setspecific(key, value)
#define pthread_getspecific(key) served_thread_getspecific(key)
#endif

#endif
