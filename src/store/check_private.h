/* SPDX-License-Identifier: MIT */
/* What the files of the check share. */
#ifndef CALLBACKD_STORE_CHECK_PRIVATE_H
#define CALLBACKD_STORE_CHECK_PRIVATE_H

#include "callbackd/upkeep.h"
#include "db.h"

enum { CHECK_SLICE_ROWS = 500 };

struct check {
    const struct store_check_options *options;
    struct store_check_figures figures;
    struct db *log;
    struct db *state;
    int64_t missing[CHECK_SLICE_ROWS]; /* results of this slice whose entry was not found */
    int missing_count;
};

/* One thing that is wrong with `file`. */
void check_found(struct check *check, const char *file, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool check_is_stopped(const struct check *check);
/* ERROR_BUSY. */
int check_stopped(struct error *error);
/* A failure that says that the file is damaged becomes a finding, and 0; another stays. */
int check_absorb(struct check *check, const char *file, struct error *error);

int check_rows(struct check *check, struct error *error);
int check_structure(struct check *check, struct error *error);

#endif
