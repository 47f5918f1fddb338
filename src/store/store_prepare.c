/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
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
    db_close(db);
    return sync_directory(folder_path, error);
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
