/* SPDX-License-Identifier: MIT */
/*
 * Body files: a real file for each running job, with the exact bytes that were received, in a
 * directory that is ours alone (on a tmpfs, so that it costs no disk).
 */
#ifndef CALLBACKD_HOOKS_BODY_FILE_H
#define CALLBACKD_HOOKS_BODY_FILE_H

#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/os.h"

/* Makes `name` in the directory, mode 0400, of `owner` (NULL: ours), and opens it for reading at
 * its start. Returns the descriptor, or -1 with nothing left behind. A file of that name is
 * replaced. */
int body_file_make(
    int directory_fd, const char *name, struct bytes content, const struct os_identity *owner,
    struct error *error);
void body_file_remove(int directory_fd, const char *name); /* none of that name is fine */
/* Removes what an earlier engine left: files whose name is an id, and nothing else. */
int body_file_clear(int directory_fd, struct error *error);

#endif
