/* SPDX-License-Identifier: MIT */
/*
 * What `callbackctl init` writes: the texts of a new deployment. Pure but for
 * randomness. Threads: any.
 */
#ifndef CALLBACKCTL_INIT_FILES_H
#define CALLBACKCTL_INIT_FILES_H

#include <stdint.h>
#include <sys/types.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

struct init_settings {
    const char *public_url; /* no trailing slash; NULL: the first listener's address */
    int64_t port;
    int64_t admin_port;
};

/* One file, relative to the directory. */
struct init_file {
    const char *name;
    mode_t mode;
    /* Appends the content; -1 with `error` filled. */
    int (*write)(const struct init_settings *settings, struct buffer *out, struct error *error);
};

/* In the order in which they are written; a row without name ends the table. The certificate
 * and its key are made together and are not among them. */
extern const struct init_file init_files[];

/* Checks a public URL and gives its host, without brackets and port. The caller frees. NULL:
 * ERROR_USAGE. */
char *init_url_host(const char *public_url, struct error *error);

#endif
