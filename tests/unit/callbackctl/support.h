/* SPDX-License-Identifier: MIT */
/* What the tests of callbackctl share: the whole program run in place, its output caught. */
#ifndef CALLBACKD_TESTS_CALLBACKCTL_SUPPORT_H
#define CALLBACKD_TESTS_CALLBACKCTL_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "callbackd/buffer.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "program.h"

#define JSON_ANSWER(status, body)                                                                  \
    "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body

struct caught {
    int status;
    struct buffer out; /* standard output */
    struct buffer err; /* standard error */
};

static inline void caught_fini(struct caught *caught)
{
    buffer_fini(&caught->out);
    buffer_fini(&caught->err);
}

static inline int catch_begin(int fd, int *saved_out)
{
    int file = memfd_create("caught", MFD_CLOEXEC);
    *saved_out = dup(fd);
    dup2(file, fd);
    return file;
}

static inline void catch_end(int fd, int saved, int file, struct buffer *out)
{
    dup2(saved, fd);
    close(saved);
    buffer_init(out, 16 << 20);
    os_pread_all(file, out, NULL);
    close(file);
}

/* Runs callbackctl with these words; ends with a NULL. */
static inline struct caught run_program(const char *const *words)
{
    struct caught caught;
    char *argv[32] = {(char *)(uintptr_t) "callbackctl"};
    int argc = 1;
    int saved_out;
    int saved_err;
    for (; *words; words++)
        argv[argc++] = (char *)(uintptr_t)*words;
    fflush(NULL);
    int out = catch_begin(STDOUT_FILENO, &saved_out);
    int err = catch_begin(STDERR_FILENO, &saved_err);
    caught.status = program_run(argc, argv);
    fflush(NULL);
    catch_end(STDOUT_FILENO, saved_out, out, &caught.out);
    catch_end(STDERR_FILENO, saved_err, err, &caught.err);
    return caught;
}

#define RUN(...) run_program((const char *const[]){__VA_ARGS__, NULL})

static inline void assert_holds(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static inline void assert_holds_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" is in:\n%s", part, text);
}

static inline void assert_out(const struct caught *caught, const char *part)
{
    assert_holds(buffer_text(&caught->out), part);
}

static inline void assert_err(const struct caught *caught, const char *part)
{
    assert_holds(buffer_text(&caught->err), part);
}

/* No daemon and no key of the machine that the tests run on. */
static inline void clear_environment(void)
{
    unsetenv("CALLBACKD_CONFIG");
    unsetenv("CALLBACKD_URL");
    unsetenv("CALLBACKD_TOKEN");
    unsetenv("PROMPTLAYER_API_KEY");
    unsetenv("PROMPTLAYER_BASE_URL");
    setenv("TZ", "UTC", 1);
}

/* A directory of its own; the caller frees. */
static inline char *make_directory(void)
{
    char *path = text_copy("/tmp/callbackctl-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

#endif
