/* SPDX-License-Identifier: MIT */
#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "callbackd/clock.h"
#include "callbackd/text.h"
#include "statement.h"

enum {
    SLOTS = 64, /* more than the statements of either database; a power of two */
    WAL_HEADER_BYTES = 32,
    WAL_FRAME_HEADER_BYTES = 24,
    BUSY_STEP_US = 200,
    BUSY_LIMIT_MS = 5000,
    JOURNAL_LIMIT_BYTES = 16 * 1024 * 1024,
    PROGRESS_STEPS = 20000,            /* virtual machine steps between looks at the clock */
    FREE_BYTES_KEPT = 8 * 1024 * 1024, /* for what comes next */
    /* https://sqlite.org/walformat.html, "WAL-Index Format" */
    WAL_INDEX_PIECE_BYTES = 32768,
    WAL_INDEX_COPIED_AT = 96, /* nBackfill */
    WAL_CHECKPOINT_LOCK = 1,
};

struct file_identity {
    uint32_t device_major;
    uint32_t device_minor;
    uint64_t inode;
};

struct db {
    sqlite3 *handle;
    char *path;
    char *wal_path;
    struct file_identity file; /* as opened, for db_moved */
    struct file_identity wal;
    struct db_slot slots[SLOTS];
    int64_t busy_until_ms;
    int64_t read_limit_ms;
    int64_t read_until_ms;
    int64_t page_bytes;
    int wal_pages;
    bool damaged;
    bool copies_in_doubt; /* see copy_anew() */
};

sqlite3 *db_handle(struct db *db)
{
    return db->handle;
}

const char *db_path(const struct db *db)
{
    return db->path;
}

bool db_in_transaction(struct db *db)
{
    return sqlite3_get_autocommit(db->handle) == 0;
}

int64_t db_last_insert(struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

int64_t db_wal_bytes(const struct db *db)
{
    if (db->wal_pages == 0)
        return 0;
    return WAL_HEADER_BYTES + db->wal_pages * (WAL_FRAME_HEADER_BYTES + db->page_bytes);
}

static enum error_code error_code_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERROR_CORRUPT;
    case SQLITE_NOMEM:
        return ERROR_MEMORY;
    case SQLITE_INTERRUPT:
        return ERROR_TIMEOUT;
    case SQLITE_CONSTRAINT:
        return ERROR_CONFLICT;
    case SQLITE_BUSY:
        return ERROR_BUSY;
    case SQLITE_TOOBIG:
        return ERROR_TOO_LARGE;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        return ERROR_INTERNAL;
    default:
        return ERROR_STORE;
    }
}

/* SQLite calls it damage too when the system cannot read, which may pass. */
static bool is_failed_read(int errnum)
{
    return errnum == EIO || errnum == ENXIO || errnum == ERANGE;
}

static int fail_damaged(struct db *db, int code, int errnum, const char *said, struct error *error)
{
    if (is_failed_read(errnum))
        return error_set_errno(error, ERROR_STORE, errnum, "%s cannot be read", db->path);
    db->damaged = true;
    return error_set(
        error, ERROR_CORRUPT,
        "%s: %s (%d): stop callbackd, move it away and put a copy in its place (docs/STORE.md)",
        db->path, said, code);
}

int db_fail(struct db *db, int code, struct error *error)
{
    int called = errno; /* SQLite does not pass on the reason of a failed write */
    int errnum = sqlite3_system_errno(db->handle);
    const char *said = sqlite3_extended_errcode(db->handle) == code ? sqlite3_errmsg(db->handle)
                                                                    : sqlite3_errstr(code);

    if (errnum == 0)
        errnum = called;
    switch (code & 0xff) {
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_FULL:
        if (errnum != 0)
            return error_set_errno(
                error, error_code_of(code), errnum, "%s: %s (%d)", db->path, said, code);
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return fail_damaged(db, code, called, said, error);
    case SQLITE_INTERRUPT:
        return error_set(
            error, ERROR_TIMEOUT, "the question took longer than %lld ms: narrow it",
            (long long)db->read_limit_ms);
    default:
        break;
    }
    return error_set(error, error_code_of(code), "%s: %s (%d)", db->path, said, code);
}

/* SQLite's own handler backs off to 100 ms and loses every race against a busy writer. */
static int wait_for_lock(void *context, int times)
{
    struct db *db = context;
    int64_t now_ms = clock_monotonic_ms();
    const struct timespec step = {.tv_nsec = BUSY_STEP_US * 1000L};

    if (times == 0)
        db->busy_until_ms = now_ms + BUSY_LIMIT_MS;
    if (now_ms >= db->busy_until_ms)
        return 0;
    (void)nanosleep(&step, NULL);
    return 1;
}

static int note_wal(void *context, sqlite3 *handle, const char *name, int pages)
{
    struct db *db = context;

    (void)handle;
    (void)name;
    db->wal_pages = pages;
    return SQLITE_OK;
}

static int stop_long_reading(void *context)
{
    const struct db *db = context;

    return clock_monotonic_ms() > db->read_until_ms;
}

void db_reading_starts(struct db *db)
{
    if (db->read_limit_ms > 0)
        db->read_until_ms = clock_monotonic_ms() + db->read_limit_ms;
}

struct db_slot *db_slot(struct db *db, const char *sql)
{
    size_t start = ((uintptr_t)sql >> 3) * 31;

    for (size_t i = 0; i < SLOTS; i++) {
        struct db_slot *slot = &db->slots[(start + i) % SLOTS];

        if (slot->sql == sql || slot->handle == NULL)
            return slot;
    }
    return NULL;
}

int db_script(struct db *db, const char *sql, struct error *error)
{
    int code;

    errno = 0;
    code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? 0 : db_fail(db, code, error);
}

int db_execute(struct db *db, const char *sql, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(&statement, db, sql, error) < 0)
        return -1;
    return statement_run(&statement, error);
}

int db_number(struct db *db, const char *sql, int64_t *number_out, struct error *error)
{
    STATEMENT statement = {0};
    int stepped;

    if (statement_open_built(&statement, db, sql, error) < 0)
        return -1;
    stepped = statement_step(&statement, error);
    if (stepped < 0)
        return -1;
    *number_out = stepped == 1 ? statement_int64(&statement, 0) : 0;
    return 0;
}

/* Not stat(): a file whose times were asked for gets a new one with the next write (Linux 6.13),
 * and then each sync has its inode to write, too. */
static bool identify(const char *path, struct file_identity *identity_out)
{
    struct statx status;

    if (statx(AT_FDCWD, path, 0, STATX_INO, &status) < 0)
        return false;
    *identity_out = (struct file_identity){
        .device_major = status.stx_dev_major,
        .device_minor = status.stx_dev_minor,
        .inode = status.stx_ino,
    };
    return true;
}

static bool is_same_file(const char *path, const struct file_identity *identity)
{
    struct file_identity now;

    return identify(path, &now) && now.device_major == identity->device_major &&
           now.device_minor == identity->device_minor && now.inode == identity->inode;
}

bool db_moved(const struct db *db)
{
    return !is_same_file(db->path, &db->file) || !is_same_file(db->wal_path, &db->wal);
}

bool db_is_damaged(const struct db *db)
{
    return db->damaged;
}

static int lock_checkpoints(struct db *db, sqlite3_file *file)
{
    int code = SQLITE_BUSY;

    for (int times = 0; code == SQLITE_BUSY && wait_for_lock(db, times) != 0; times++)
        code = file->pMethods->xShmLock(
            file, WAL_CHECKPOINT_LOCK, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
    return code;
}

/* The next checkpoint copies the whole WAL. SQLite counts a frame as copied once its page is
 * written, but syncs the database only when it has copied the last one. Where that sync fails, a
 * later one may succeed without the pages of an earlier checkpoint, for the system has given them
 * up and nobody writes them again. */
static int copy_anew(struct db *db)
{
    sqlite3_file *file = NULL;
    void volatile *index = NULL;
    int code = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);

    if (code == SQLITE_OK)
        code = file->pMethods->xShmMap(file, 0, WAL_INDEX_PIECE_BYTES, 0, &index);
    if (code == SQLITE_OK && index != NULL)
        code = lock_checkpoints(db, file);
    if (code != SQLITE_OK)
        return code;
    if (index != NULL) {
        uint32_t volatile *copied =
            (uint32_t volatile *)((char volatile *)index + WAL_INDEX_COPIED_AT);

        __atomic_store_n(copied, 0, __ATOMIC_SEQ_CST);
        code = file->pMethods->xShmLock(
            file, WAL_CHECKPOINT_LOCK, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    }
    db->copies_in_doubt = false;
    return code;
}

static int checkpoint(struct db *db, int mode)
{
    int code = SQLITE_OK;
    int called;

    errno = 0;
    if (db->copies_in_doubt)
        code = copy_anew(db);
    if (code == SQLITE_OK)
        code = sqlite3_wal_checkpoint_v2(db->handle, "main", mode, NULL, NULL);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) {
        called = errno;
        db->copies_in_doubt = true;
        (void)copy_anew(db); /* at once: others copy, too */
        errno = called;
    }
    return code;
}

int db_checkpoint(struct db *db, struct error *error)
{
    int code = checkpoint(db, SQLITE_CHECKPOINT_PASSIVE);

    if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY)
        return 0;
    return db_fail(db, code, error);
}

int db_checkpoint_truncate(struct db *db, bool *busy_out, struct error *error)
{
    int code;

    db->copies_in_doubt = true; /* whoever made some may have met a fault */
    code = checkpoint(db, SQLITE_CHECKPOINT_TRUNCATE);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY)
        return db_fail(db, code, error);
    *busy_out = code != SQLITE_OK;
    return 0;
}

int db_has_spare(struct db *db, bool *spare_out, struct error *error)
{
    int64_t free_pages;
    int64_t all_pages;

    if (db_number(db, "PRAGMA freelist_count", &free_pages, error) < 0 ||
        db_number(db, "PRAGMA page_count", &all_pages, error) < 0)
        return -1;
    *spare_out = free_pages > FREE_BYTES_KEPT / db->page_bytes && free_pages > all_pages / 8;
    return 0;
}

int db_shrink(struct db *db, int64_t bytes, struct error *error)
{
    char sql[64];
    bool spare;

    if (db_has_spare(db, &spare, error) < 0)
        return -1;
    if (!spare)
        return 0;
    snprintf(
        sql, sizeof sql, "PRAGMA incremental_vacuum(%lld)", (long long)(bytes / db->page_bytes));
    return db_script(db, sql, error);
}

/* Only before the first table: they shape the file. */
static int shape(struct db *db, const struct schema *schema, struct error *error)
{
    char sql[128];

    snprintf(
        sql, sizeof sql, "PRAGMA page_size = %d; PRAGMA auto_vacuum = INCREMENTAL;",
        schema->page_bytes);
    if (db_script(db, sql, error) < 0)
        return -1;
    return db_script(db, "PRAGMA journal_mode = WAL", error);
}

/* secure_delete: Debian's SQLite zeroes every page that it frees, which doubles what a slice of
 * retention writes; FAST zeroes only what is written anyway. The checkpoints are ours (writer.c),
 * after the waiters were woken. */
static int set_up(struct db *db, const struct db_options *options, struct error *error)
{
    char sql[512];

    snprintf(
        sql, sizeof sql,
        "PRAGMA synchronous = FULL; PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 0;"
        "PRAGMA journal_size_limit = %d; PRAGMA cache_size = -%d; PRAGMA foreign_keys = ON;"
        "PRAGMA secure_delete = FAST; PRAGMA temp_store = MEMORY; PRAGMA query_only = %s;",
        JOURNAL_LIMIT_BYTES, options->cache_kib, options->use == DB_READ ? "ON" : "OFF");
    if (db_script(db, sql, error) < 0)
        return -1;
    (void)sqlite3_wal_hook(db->handle, note_wal, db);
    if (options->use == DB_READ && options->read_limit_ms > 0) {
        db->read_limit_ms = options->read_limit_ms;
        db_reading_starts(db);
        sqlite3_progress_handler(db->handle, PROGRESS_STEPS, stop_long_reading, db);
    }
    return 0;
}

static int check_mode(struct db *db, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open_built(&statement, db, "PRAGMA journal_mode", error) < 0)
        return -1;
    if (statement_step(&statement, error) < 0)
        return -1;
    if (!bytes_equal_text(statement_bytes(&statement, 0), "wal"))
        return error_set(error, ERROR_CORRUPT, "%s is not in WAL mode", db->path);
    if (sqlite3_db_readonly(db->handle, "main") != 0)
        return error_set_errno(error, ERROR_STORE, EROFS, "%s", db->path);
    return 0;
}

/* What is not ours is looked at before anything is changed in it. */
static int recognise(struct db *db, const struct db_options *options, struct error *error)
{
    if (options->use != DB_CREATE)
        return schema_check(db, options->schema, error);
    if (schema_recognise(db, options->schema, error) < 0 || shape(db, options->schema, error) < 0)
        return -1;
    return schema_migrate(db, options->schema, error);
}

/* A file may be another's work: the worker reads the log of a receiver that faces the internet.
 * Nothing in it but what our schema has is run, and no page is believed to be whole. */
static void trust_little(struct db *db, const struct schema *schema)
{
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    (void)sqlite3_db_config(
        db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, schema->has_triggers ? 1 : 0, NULL);
}

static int open_handle(struct db *db, const struct db_options *options, struct error *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    struct stat status;
    int code;

    if (stat(db->path, &status) < 0 && options->use != DB_CREATE)
        return error_set_errno(
            error, errno == ENOENT || errno == ENOTDIR ? ERROR_NOT_FOUND : ERROR_STORE, errno, "%s",
            db->path);
    if (options->use == DB_CREATE)
        flags |= SQLITE_OPEN_CREATE;
    /* Nobody asks for its count of memory, which costs a lock for each allocation. Taken before
     * the first connection of a process, and without effect later. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    code = sqlite3_open_v2(db->path, &db->handle, flags, NULL);
    if (db->handle == NULL)
        return error_set(error, ERROR_MEMORY, "%s: no memory to open it", db->path);
    if (code != SQLITE_OK)
        return db_fail(db, code, error);
    trust_little(db, options->schema);
    (void)sqlite3_busy_handler(db->handle, wait_for_lock, db);
    return db_script(db, "PRAGMA cell_size_check = ON", error);
}

static int open_all(struct db *db, const struct db_options *options, struct error *error)
{
    if (open_handle(db, options, error) < 0 || recognise(db, options, error) < 0 ||
        set_up(db, options, error) < 0 || check_mode(db, error) < 0 ||
        db_number(db, "PRAGMA page_size", &db->page_bytes, error) < 0)
        return -1;
    if (!identify(db->path, &db->file) || !identify(db->wal_path, &db->wal))
        return error_set_errno(error, ERROR_STORE, errno, "%s", db->wal_path);
    return 0;
}

struct db *db_open(const struct db_options *options, struct error *error)
{
    struct db *db = calloc(1, sizeof *db);

    if (db != NULL) {
        db->path = text_copy(options->path);
        db->wal_path = text_format("%s-wal", options->path);
    }
    if (db == NULL || db->path == NULL || db->wal_path == NULL) {
        error_set(error, ERROR_MEMORY, "%s: no memory to open it", options->path);
        db_close(db);
        return NULL;
    }
    if (open_all(db, options, error) < 0) {
        db_close(db);
        return NULL;
    }
    return db;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        (void)sqlite3_finalize(db->slots[i].handle);
    (void)sqlite3_close_v2(db->handle);
    free(db->wal_path);
    free(db->path);
    free(db);
}
