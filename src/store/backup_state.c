/* SPDX-License-Identifier: MIT */
/*
 * The copy of the state: page by page, as it was at one moment. Its rows change in
 * place, so they must come from one reading; the pages are the fastest way through.
 */
#include <sqlite3.h>
#include <unistd.h>

#include "backup_private.h"
#include "paths.h"
#include "statement.h"

enum { STEP_PAGES = 4096 }; /* 16 MiB */

static int copy_steps(
    struct backup *backup, sqlite3_backup *copy, struct db *from, struct db *to,
    struct error *error)
{
    int code;

    while ((code = sqlite3_backup_step(copy, STEP_PAGES)) == SQLITE_OK) {
        int64_t all = sqlite3_backup_pagecount(copy);

        backup_progress(backup, STORE_STATE_FILE, all - sqlite3_backup_remaining(copy), all);
        if (backup_target_sync(to, error) < 0)
            return -1;
    }
    return code == SQLITE_DONE ? 0 : db_fail(from, code, error);
}

static int copy_pages(struct backup *backup, struct db *from, struct db *to, struct error *error)
{
    sqlite3_backup *copy = sqlite3_backup_init(db_handle(to), "main", db_handle(from), "main");
    int64_t version;
    int result;

    if (copy == NULL)
        return db_fail(to, sqlite3_extended_errcode(db_handle(to)), error);
    /* Between steps the moment is held by a reading of our own: without, the copy would start anew
     * whenever the worker writes. */
    result = db_execute(from, "BEGIN", error);
    if (result == 0)
        result = db_number(from, "PRAGMA user_version", &version, error);
    if (result == 0)
        result = copy_steps(backup, copy, from, to, error);
    (void)sqlite3_backup_finish(copy);
    (void)db_execute(from, "ROLLBACK", NULL);
    return result;
}

int backup_state(struct backup *backup, struct error *error)
{
    struct db *from =
        backup_open(backup->directory, STORE_STATE_FILE, &schema_state, DB_READ, error);
    struct db *to = NULL;
    int result = -1;

    if (from != NULL)
        to = backup_target(backup, STORE_STATE_FILE, &schema_state, error);
    if (to != NULL)
        result = copy_pages(backup, from, to, error);
    db_close(from);
    /* The copy may come from another machine, over wires and disks that nobody has watched. */
    if (result == 0)
        result =
            db_script(to, "INSERT OR REPLACE INTO meta (name, value) VALUES ('open', 1)", error);
    if (result == 0)
        result = backup_target_seal(to, error);
    db_close(to);
    return result;
}
