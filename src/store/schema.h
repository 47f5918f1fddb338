/* SPDX-License-Identifier: MIT */
/*
 * The schemas of the two databases and how they are brought forward. A schema is
 * an array of steps; PRAGMA user_version says how many of them a file has had,
 * PRAGMA application_id that the file is ours. A step, once released, never
 * changes: a change is a new step.
 */
#ifndef CALLBACKD_STORE_SCHEMA_H
#define CALLBACKD_STORE_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/error.h"

struct db;

struct schema {
    const char *name;       /* for messages: "log", "state" */
    int32_t application_id; /* four letters, as file(1) shows them */
    const char *const *steps;
    int step_count;
    int page_bytes;    /* of a new file; one that is there keeps what it has */
    bool has_triggers; /* false: none that a file may have is ever run */
};

extern const struct schema schema_results; /* log/results.db */
extern const struct schema schema_state;   /* state/state.db */

/* Is the file empty or ours, of any version up to this program's? ERROR_CORRUPT: it is not. */
int schema_recognise(struct db *db, const struct schema *schema, struct error *error);
/* Is the file ours, and as this program knows it? ERROR_CORRUPT: foreign or newer;
 * ERROR_CONFLICT: older, store_prepare() must come first. */
int schema_check(struct db *db, const struct schema *schema, struct error *error);
/* Takes an empty file or an older one of ours forward, in one transaction. */
int schema_migrate(struct db *db, const struct schema *schema, struct error *error);

#endif
