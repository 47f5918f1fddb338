/* SPDX-License-Identifier: MIT */
/*
 * An online copy. State first, then the log, so that the copy's log has all that
 * the copy's state speaks of. It is made in a folder of its own and takes its place
 * at the end, the state before the log: whatever is there when the power goes, no
 * daemon takes it for a store whose log must be read anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup_private.h"
#include "callbackd/os.h"
#include "callbackd/store.h"
#include "paths.h"
#include "statement.h"

#define WORK_DIRECTORY "incomplete"

enum {
    CACHE_KIB = 64 * 1024, /* keys that come in no order find their page in memory */
    TARGET_MODE = 0700,
    HOLD_WAIT_MS = 10000,
};

/* ---- one file ---- */

struct db *backup_open(
    const char *directory, const char *file, const struct schema *schema, enum db_use use,
    struct error *error)
{
    CLEANUP_FREE char *path = os_path_join(directory, file);
    const struct db_options options = {
        .path = path, .schema = schema, .use = use, .cache_kib = CACHE_KIB};

    if (path == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for a path");
        return NULL;
    }
    return db_open(&options, error);
}

struct db *backup_target(
    const struct backup *backup, const char *file, const struct schema *schema, struct error *error)
{
    struct db *db = backup_open(backup->work, file, schema, DB_WRITE, error);

    if (db == NULL)
        return NULL;
    if (db_script(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", error) == 0)
        return db;
    db_close(db);
    return NULL;
}

int backup_target_sync(struct db *db, struct error *error)
{
    sqlite3_file *file = NULL;
    int code = sqlite3_file_control(db_handle(db), "main", SQLITE_FCNTL_FILE_POINTER, &file);

    if (code == SQLITE_OK)
        code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    return code == SQLITE_OK ? 0 : db_fail(db, code, error);
}

int backup_target_seal(struct db *db, struct error *error)
{
    bool busy;

    if (db_script(db, "PRAGMA journal_mode = WAL", error) < 0 ||
        db_checkpoint_truncate(db, &busy, error) < 0)
        return -1;
    return backup_target_sync(db, error);
}

void backup_progress(const struct backup *backup, const char *file, int64_t done, int64_t all)
{
    if (backup->options->progress != NULL && all > 0)
        backup->options->progress(backup->options->context, file, (int)(done * 100 / all));
}

/* ---- where it is made, and where it goes ---- */

static int refuse_existing(
    const char *target, const char *name, const char *what_it_is, struct error *error)
{
    CLEANUP_FREE char *path = os_path_join(target, name);
    struct stat status;

    if (path == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    if (lstat(path, &status) == 0)
        return error_set(error, ERROR_CONFLICT, "%s %s: %s", target, what_it_is, path);
    return errno == ENOENT ? 0 : error_set_errno(error, ERROR_IO, errno, "%s", path);
}

static int make_work_directory(const char *target, const char *work, struct error *error)
{
    if (os_make_directories(target, TARGET_MODE, error) < 0 ||
        refuse_existing(target, STORE_LOG_DIRECTORY, "holds a store already", error) < 0 ||
        refuse_existing(target, STORE_STATE_DIRECTORY, "holds a store already", error) < 0 ||
        refuse_existing(
            target, WORK_DIRECTORY, "holds a copy that is being made, or was broken off", error) <
            0)
        return -1;
    if (mkdir(work, TARGET_MODE) < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot make %s", work);
    return 0;
}

static void remove_file(const char *directory, const char *file, const char *end)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s%s", directory, file, end);
    (void)remove(path);
}

/* What this program made there, and nothing else. */
static void remove_work(const char *work)
{
    static const char *const ends[] = {"-wal", "-shm", "-journal", ""};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        remove_file(work, STORE_LOG_FILE, ends[i]);
        remove_file(work, STORE_STATE_FILE, ends[i]);
    }
    remove_file(work, STORE_LOG_DIRECTORY, "");
    remove_file(work, STORE_STATE_DIRECTORY, "");
    (void)rmdir(work);
}

static int sync_directory(const char *path, struct error *error)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot sync %s", path);
    return 0;
}

static int measure(const char *work, const char *file, int64_t *bytes_out, struct error *error)
{
    CLEANUP_FREE char *path = os_path_join(work, file);
    struct stat status;

    if (path == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    if (stat(path, &status) < 0)
        return error_set_errno(error, ERROR_IO, errno, "%s", path);
    *bytes_out = status.st_size;
    return 0;
}

static int move_folder(
    const char *work, const char *target, const char *folder, struct error *error)
{
    CLEANUP_FREE char *from = os_path_join(work, folder);
    CLEANUP_FREE char *to = os_path_join(target, folder);

    if (from == NULL || to == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    if (sync_directory(from, error) < 0)
        return -1;
    if (rename(from, to) < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot move %s to %s", from, to);
    return sync_directory(target, error);
}

static int take_place(struct backup *backup, struct error *error)
{
    const char *target = backup->options->target;

    if (measure(backup->work, STORE_LOG_FILE, &backup->figures.log_bytes, error) < 0 ||
        measure(backup->work, STORE_STATE_FILE, &backup->figures.state_bytes, error) < 0 ||
        move_folder(backup->work, target, STORE_STATE_DIRECTORY, error) < 0 ||
        move_folder(backup->work, target, STORE_LOG_DIRECTORY, error) < 0)
        return -1;
    (void)rmdir(backup->work);
    return 0;
}

/* ---- the whole ---- */

static int copy(struct backup *backup, struct error *error)
{
    if (store_prepare(backup->work, error) < 0 || backup_state(backup, error) < 0 ||
        backup_log(backup, error) < 0)
        return -1;
    return take_place(backup, error);
}

int store_backup(
    const struct store_backup_options *options, struct store_backup_figures *figures_out,
    struct error *error)
{
    CLEANUP_FREE char *work = os_path_join(options->target, WORK_DIRECTORY);
    CLEANUP_FD int hold = -1;
    struct backup backup = {.directory = options->directory, .work = work, .options = options};

    if (work == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    if (store_hold_removal(options->directory, HOLD_WAIT_MS, &hold, error) < 0 ||
        make_work_directory(options->target, work, error) < 0)
        return -1;
    if (copy(&backup, error) < 0) {
        remove_work(work);
        return -1;
    }
    *figures_out = backup.figures;
    return 0;
}
