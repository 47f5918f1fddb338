/* SPDX-License-Identifier: MIT */
#include "writer.h"

#include "callbackd/log.h"

/* Said once when it begins and once when it ends, however many posts fail between. */
static void note_health(struct writer *writer, bool healthy, const struct error *error)
{
    if (atomic_exchange(&writer->healthy, healthy) == healthy)
        return;
    if (healthy)
        log_info("the store can be written again", LOG_TEXT("file", writer->path));
    else
        log_error("the store cannot be written", LOG_TEXT("file", writer->path), LOG_ERROR(error));
}

static void drop_connection(struct writer *writer)
{
    db_close(writer->db);
    writer->db = NULL;
    writer->checkpoint_due = writer->checkpoint_first;
}

static int connect_if_needed(struct writer *writer, struct error *error)
{
    const struct db_options options = {
        .path = writer->path,
        .schema = writer->schema,
        .use = DB_WRITE,
        .cache_kib = writer->cache_kib,
    };

    if (writer->db == NULL)
        writer->db = db_open(&options, error);
    return writer->db == NULL ? -1 : 0;
}

/* Another process that is at work makes it busy, as during a reload: then its own syncs vouch for
 * what is there. */
static int checkpoint_if_due(struct writer *writer, struct error *error)
{
    bool busy = false;

    if (!writer->checkpoint_due)
        return 0;
    if (db_checkpoint_truncate(writer->db, &busy, error) < 0)
        return -1;
    writer->checkpoint_due = false;
    return 0;
}

static void note_failure(struct writer *writer, const struct error *error)
{
    metrics_add(writer->metrics, METRIC_STORE_ERRORS, 1);
    note_health(writer, false, error);
}

/* It stays open, with nothing begun, for as long as the file is the same. false: not damaged, or
 * not to be kept. */
static bool keep_damaged(struct writer *writer, const struct error *error)
{
    if (writer->db == NULL || !db_is_damaged(writer->db))
        return false;
    if (db_in_transaction(writer->db) && db_execute(writer->db, "ROLLBACK", NULL) < 0)
        return false;
    writer->damage = *error;
    if (error->code != ERROR_CORRUPT)
        error_set(&writer->damage, ERROR_CORRUPT, "%s is damaged", writer->path);
    return true;
}

static void mistrust_connection(struct writer *writer, const struct error *error)
{
    if (!keep_damaged(writer, error))
        drop_connection(writer);
}

static int refuse_damaged(const struct writer *writer, struct error *error)
{
    if (writer->db == NULL || !db_is_damaged(writer->db))
        return 0;
    *error = writer->damage;
    return -1;
}

static int begin_connected(struct writer *writer, struct error *error)
{
    if (checkpoint_if_due(writer, error) == 0 &&
        db_execute(writer->db, "BEGIN IMMEDIATE", error) == 0)
        return 0;
    /* Waiting in vain for another writer says nothing against our connection. */
    if (error->code != ERROR_BUSY)
        mistrust_connection(writer, error);
    return -1;
}

static int writer_begin(void *store, struct error *error)
{
    struct writer *writer = store;

    if (writer->db != NULL && db_moved(writer->db))
        drop_connection(writer);
    if (refuse_damaged(writer, error) == 0 && connect_if_needed(writer, error) == 0 &&
        begin_connected(writer, error) == 0)
        return 0;
    note_failure(writer, error);
    return -1;
}

static enum group_outcome undo_work(struct writer *writer, struct error *error)
{
    struct error undoing = {0};

    if (db_execute(writer->db, "ROLLBACK TO work", &undoing) == 0 &&
        db_execute(writer->db, "RELEASE work", &undoing) == 0)
        return GROUP_FAILED;
    *error = undoing;
    return GROUP_LOST;
}

/* Some failures (a full disk, an I/O error) end the whole transaction inside SQLite. */
static enum group_outcome writer_run(
    void *store, struct group_work *group_work, bool alone, struct error *error)
{
    struct writer *writer = store;
    struct writer_work *work = (struct writer_work *)group_work;
    bool savepoint = work->savepoint && !alone;
    int result;

    if (savepoint && db_execute(writer->db, "SAVEPOINT work", error) < 0)
        return GROUP_LOST;
    result = work->run(writer->db, work, error);
    if (!db_in_transaction(writer->db) || db_is_damaged(writer->db))
        return GROUP_LOST;
    if (result == 0)
        return savepoint && db_execute(writer->db, "RELEASE work", error) < 0 ? GROUP_LOST
                                                                              : GROUP_DONE;
    if (!work->savepoint)
        return GROUP_LOST;
    group_work->result = result;
    return savepoint ? undo_work(writer, error) : GROUP_FAILED;
}

static int writer_commit(void *store, struct error *error)
{
    struct writer *writer = store;

    if (db_execute(writer->db, "COMMIT", error) < 0)
        return -1;
    metrics_add(writer->metrics, METRIC_STORE_BATCHES, 1);
    note_health(writer, true, NULL);
    return 0;
}

static void writer_abandon(void *store, const struct error *lost)
{
    struct writer *writer = store;

    if (lost == NULL && db_execute(writer->db, "ROLLBACK", NULL) == 0)
        return;
    if (lost == NULL) {
        drop_connection(writer);
        return;
    }
    mistrust_connection(writer, lost);
    note_failure(writer, lost);
}

static void checkpoint_if_long(struct writer *writer)
{
    struct error error = {0};
    bool failed;

    if (db_wal_bytes(writer->db) < writer->checkpoint_bytes)
        return;
    failed = db_checkpoint(writer->db, &error) < 0;
    if (failed && !writer->checkpoint_failed)
        log_warning(
            "the write-ahead file cannot be emptied and grows", LOG_TEXT("file", writer->path),
            LOG_ERROR(&error));
    writer->checkpoint_failed = failed;
    if (failed && keep_damaged(writer, &error))
        note_failure(writer, &error);
}

static void writer_settle(void *store, bool committed)
{
    struct writer *writer = store;

    if (writer->settled != NULL)
        writer->settled(writer->context, committed);
    if (!committed || writer->db == NULL)
        return;
    metrics_set(writer->metrics, METRIC_WAL_BYTES, db_wal_bytes(writer->db));
    checkpoint_if_long(writer);
}

const struct group_operations writer_operations = {
    .begin = writer_begin,
    .commit = writer_commit,
    .run = writer_run,
    .abandon = writer_abandon,
    .settle = writer_settle,
};

static bool may_open_later(const struct writer *writer, enum error_code code)
{
    return writer->wait_for_store || code == ERROR_STORE || code == ERROR_BUSY;
}

int writer_open(struct writer *writer, struct error *error)
{
    struct error own = {0};

    atomic_init(&writer->healthy, true);
    writer->checkpoint_due = writer->checkpoint_first;
    if (connect_if_needed(writer, &own) == 0 && checkpoint_if_due(writer, &own) == 0)
        return 0;
    if (may_open_later(writer, own.code)) {
        drop_connection(writer);
        note_failure(writer, &own);
        return 0;
    }
    writer_close(writer);
    *error = own;
    return -1;
}

void writer_close(struct writer *writer)
{
    db_close(writer->db);
    writer->db = NULL;
}

bool writer_is_healthy(struct writer *writer)
{
    return atomic_load(&writer->healthy);
}

void writer_doubt(struct writer *writer, const struct error *error)
{
    note_health(writer, false, error);
}
