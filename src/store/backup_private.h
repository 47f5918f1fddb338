/* SPDX-License-Identifier: MIT */
/* What the files of the backup share. */
#ifndef CALLBACKD_STORE_BACKUP_PRIVATE_H
#define CALLBACKD_STORE_BACKUP_PRIVATE_H

#include "callbackd/upkeep.h"
#include "db.h"

struct backup {
    const char *directory; /* the store's */
    const char *work;      /* the copy in the making: a prepared, empty store */
    const struct store_backup_options *options;
    struct store_backup_figures figures;
};

/* One connection to a file of a store. */
struct db *backup_open(
    const char *directory, const char *file, const struct schema *schema, enum db_use use,
    struct error *error);

/*
 * The file of a copy in the making, without a journal: nobody else sees it, and a copy that was
 * broken off is thrown away. So nothing is written twice. backup_target_seal makes it a database
 * as the daemon wants it, and syncs.
 */
struct db *backup_target(
    const struct backup *backup, const char *file, const struct schema *schema,
    struct error *error);
/* So that not all is left for the end: the sync of a post that comes then would wait for it. */
int backup_target_sync(struct db *db, struct error *error);
int backup_target_seal(struct db *db, struct error *error);

void backup_progress(const struct backup *backup, const char *file, int64_t done, int64_t all);

int backup_state(struct backup *backup, struct error *error);
int backup_log(struct backup *backup, struct error *error);

#endif
