/* SPDX-License-Identifier: MIT */
#include "schema.h"

#include <stdio.h>

#include "db.h"

struct stamp {
    int64_t application_id;
    int64_t version;
    int64_t tables;
};

static int read_stamp(struct db *db, struct stamp *stamp_out, struct error *error)
{
    struct stamp stamp;

    if (db_number(db, "PRAGMA application_id", &stamp.application_id, error) < 0 ||
        db_number(db, "PRAGMA user_version", &stamp.version, error) < 0 ||
        db_number(db, "SELECT count(*) FROM sqlite_schema", &stamp.tables, error) < 0)
        return -1;
    *stamp_out = stamp;
    return 0;
}

static bool is_empty(const struct stamp *stamp)
{
    return stamp->application_id == 0 && stamp->version == 0 && stamp->tables == 0;
}

static int refuse_foreign(
    struct db *db, const struct schema *schema, const struct stamp *stamp, struct error *error)
{
    if (stamp->application_id != schema->application_id)
        return error_set(
            error, ERROR_CORRUPT,
            "%s is not a %s of callbackd (application_id %#llx instead of %#llx): move it away or "
            "choose another store.directory",
            db_path(db), schema->name, (unsigned long long)stamp->application_id,
            (unsigned long long)schema->application_id);
    if (stamp->version > schema->step_count)
        return error_set(
            error, ERROR_CORRUPT,
            "%s was written by a newer callbackd (schema %lld, this one knows %d): upgrade "
            "callbackd",
            db_path(db), (long long)stamp->version, schema->step_count);
    return 0;
}

int schema_recognise(struct db *db, const struct schema *schema, struct error *error)
{
    struct stamp stamp;

    if (read_stamp(db, &stamp, error) < 0)
        return -1;
    return is_empty(&stamp) ? 0 : refuse_foreign(db, schema, &stamp, error);
}

int schema_check(struct db *db, const struct schema *schema, struct error *error)
{
    struct stamp stamp;

    if (read_stamp(db, &stamp, error) < 0 || refuse_foreign(db, schema, &stamp, error) < 0)
        return -1;
    if (stamp.version < schema->step_count)
        return error_set(
            error, ERROR_CONFLICT, "%s has schema %lld and must be brought forward to %d first",
            db_path(db), (long long)stamp.version, schema->step_count);
    return 0;
}

static int run_steps(
    struct db *db, const struct schema *schema, int64_t version, struct error *error)
{
    char stamp[128];

    for (int64_t step = version; step < schema->step_count; step++) {
        if (db_script(db, schema->steps[step], error) < 0)
            return error_prefix(error, "schema step %lld", (long long)step + 1);
    }
    snprintf(
        stamp, sizeof stamp, "PRAGMA application_id = %ld; PRAGMA user_version = %d;",
        (long)schema->application_id, schema->step_count);
    return db_script(db, stamp, error);
}

/* The stamp is read again inside: somebody else may have migrated meanwhile. */
static int migrate_in_transaction(struct db *db, const struct schema *schema, struct error *error)
{
    struct stamp stamp;

    if (read_stamp(db, &stamp, error) < 0)
        return -1;
    if (is_empty(&stamp))
        return run_steps(db, schema, 0, error);
    if (refuse_foreign(db, schema, &stamp, error) < 0)
        return -1;
    return stamp.version < schema->step_count ? run_steps(db, schema, stamp.version, error) : 0;
}

int schema_migrate(struct db *db, const struct schema *schema, struct error *error)
{
    if (db_script(db, "BEGIN IMMEDIATE", error) < 0)
        return -1;
    if (migrate_in_transaction(db, schema, error) < 0) {
        (void)db_script(db, "ROLLBACK", NULL);
        return -1;
    }
    if (db_script(db, "COMMIT", error) < 0) {
        (void)db_script(db, "ROLLBACK", NULL);
        return -1;
    }
    return 0;
}
