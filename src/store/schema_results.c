/* SPDX-License-Identifier: MIT */
/*
 * log/results.db: what was received. The comments inside the statements stay in
 * the file: `.schema` in sqlite3 shows them. docs/STORE.md says more.
 *
 * The body stands last, so that reading a row without it does not read its pages.
 * No index but those that an append needs: every other question is put to state.db.
 */
#include "schema.h"

static const char *const steps[] = {
    /* 1 */
    "CREATE TABLE received (\n"
    "    seq            INTEGER PRIMARY KEY AUTOINCREMENT, -- order of storing; never used twice\n"
    "    id             TEXT    NOT NULL, -- of the result, UUIDv7\n"
    "    duplicate_of   INTEGER,          -- seq of the post that this one repeats; NULL: none\n"
    "    endpoint       TEXT    NOT NULL,\n"
    "    kind           TEXT    NOT NULL, -- workflow-result, workspace-event, json, form\n"
    "    key            TEXT,             -- what makes posts the same; NULL: never the same\n"
    "    run_id         TEXT,\n"
    "    execution_id   INTEGER,\n"
    "    delivery_id    TEXT    NOT NULL, -- the sender's; '' when none\n"
    "    status         TEXT    NOT NULL, -- what the post itself says\n"
    "    event          TEXT    NOT NULL, -- of a workspace event; '' otherwise\n"
    "    name           TEXT    NOT NULL, -- workflow or agent named by the body; ''\n"
    "    source         TEXT    NOT NULL, -- callback, poll\n"
    "    revision       INTEGER NOT NULL, -- 1: the first for its key\n"
    "    received_at    INTEGER NOT NULL, -- milliseconds since 1970 UTC\n"
    "    remote_address TEXT    NOT NULL,\n"
    "    verified_by    TEXT    NOT NULL,\n"
    "    content_type   TEXT    NOT NULL,\n"
    "    size           INTEGER NOT NULL, -- bytes of the body\n"
    "    sha256         BLOB    NOT NULL, -- of the body\n"
    "    headers        TEXT    NOT NULL, -- JSON: [[name, value], ...], secrets removed\n"
    "    body           BLOB              -- exact; NULL for a duplicate\n"
    ") STRICT;\n"
    "CREATE INDEX received_key ON received (endpoint, key, revision)\n"
    "    WHERE key IS NOT NULL AND duplicate_of IS NULL;\n"
    /* Small, for revisions are rare: a sender of thousands for one key stays cheap. */
    "CREATE INDEX received_revision ON received (endpoint, key, sha256)\n"
    "    WHERE key IS NOT NULL AND duplicate_of IS NULL AND revision > 1;\n"
    "CREATE TABLE rejected (\n"
    "    seq            INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "    id             TEXT    NOT NULL UNIQUE, -- UUIDv7\n"
    "    received_at    INTEGER NOT NULL, -- milliseconds since 1970 UTC\n"
    "    endpoint       TEXT    NOT NULL,\n"
    "    remote_address TEXT    NOT NULL,\n"
    "    status         INTEGER NOT NULL, -- HTTP status of the answer\n"
    "    reason         TEXT    NOT NULL,\n"
    "    headers        TEXT    NOT NULL, -- as above\n"
    "    size           INTEGER NOT NULL, -- of the whole body; -1: not read\n"
    "    body           BLOB    NOT NULL  -- what is kept of it\n"
    ") STRICT;\n"
    /* Written by a trial after a failure: can the store take an append again? */
    "CREATE TABLE trial (\n"
    "    one            INTEGER PRIMARY KEY CHECK (one = 1),\n"
    "    tried_at       INTEGER NOT NULL  -- milliseconds since 1970 UTC\n"
    ") STRICT;\n",
    /* 2: whom a refused post was for, so that nobody waits for it in vain */
    "ALTER TABLE rejected ADD COLUMN run_id TEXT;\n",
};

const struct schema schema_results = {
    .name = "log",
    .application_id = 0x63626c67, /* "cblg" */
    .steps = steps,
    .step_count = sizeof steps / sizeof steps[0],
    .page_bytes = 8192, /* posts come in order and fill them: half as many to write */
};
