/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "callbackd/store.h"
#include "db.h"
#include "paths.h"

enum { DIRECTORY_MODE = 0700, FILE_MODE = 0600, CACHE_KIB = 2048 };

/* A new name lasts once its directory was synced. */
static int sync_directory(const char *path, struct error *error)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot sync %s", path);
    return 0;
}

/* SQLite would make it readable for all; its -wal and -shm take the mode of the database. An
 * existing file is not opened: closing it would drop the locks that SQLite may hold on it. */
static int make_private_file(const char *path, struct error *error)
{
    CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);

    if (fd < 0 && errno != EEXIST)
        return error_set_errno(error, ERROR_IO, errno, "cannot make %s", path);
    return 0;
}

/* A state that was lost says of no result that it was decided. */
static int refuse_log_without_state(const char *directory, struct db *log, struct error *error)
{
    CLEANUP_FREE char *path = os_path_join(directory, STORE_STATE_FILE);
    int64_t newest = 0;

    if (path == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    if (access(path, F_OK) == 0 || errno != ENOENT)
        return 0;
    if (db_number(
            log, "SELECT max(seq) FROM sqlite_sequence WHERE name = 'received'", &newest, error) <
        0)
        return -1;
    if (newest == 0)
        return 0;
    return error_set(
        error, ERROR_CORRUPT,
        "%s is missing, but %s has results: all that it still holds would trigger their hooks"
        " again. Put back the copy that belongs to it; or, to have just that, make an empty file"
        " of that name (docs/STORE.md)",
        path, db_path(log));
}

static int prepare_database(
    const char *directory, const char *folder, const char *file, const struct schema *schema,
    struct error *error)
{
    CLEANUP_FREE char *folder_path = os_path_join(directory, folder);
    CLEANUP_FREE char *path = os_path_join(directory, file);
    const struct db_options options = {
        .path = path, .schema = schema, .use = DB_CREATE, .cache_kib = CACHE_KIB};
    struct db *db;

    if (folder_path == NULL || path == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    if (os_make_directories(folder_path, DIRECTORY_MODE, error) < 0 ||
        make_private_file(path, error) < 0)
        return -1;
    db = db_open(&options, error);
    if (db == NULL)
        return -1;
    if (schema == &schema_results && refuse_log_without_state(directory, db, error) < 0) {
        db_close(db);
        return -1;
    }
    db_close(db);
    return sync_directory(folder_path, error);
}

void store_read_system(void)
{
    unsigned char byte;

    (void)sqlite3_initialize();
    sqlite3_randomness(sizeof byte, &byte);
}

char *store_log_directory(const char *directory)
{
    return os_path_join(directory, STORE_LOG_DIRECTORY);
}

int store_prepare(const char *directory, struct error *error)
{
    CLEANUP_FREE char *parent = os_path_join(directory, "..");

    if (parent == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    if (os_make_directories(directory, DIRECTORY_MODE, error) < 0 ||
        prepare_database(directory, STORE_LOG_DIRECTORY, STORE_LOG_FILE, &schema_results, error) <
            0 ||
        prepare_database(directory, STORE_STATE_DIRECTORY, STORE_STATE_FILE, &schema_state, error) <
            0 ||
        sync_directory(directory, error) < 0)
        return -1;
    /* The parent may not be ours to read (ProtectSystem, a mount): it was there before us then. */
    (void)sync_directory(parent, NULL);
    return 0;
}
