/* SPDX-License-Identifier: MIT */
/*
 * state/state.db: what was decided. The comments inside the statements stay in the
 * file: `.schema` in sqlite3 shows them. docs/STORE.md says more.
 *
 * Every list of the door and every question of the queue has its index, ordered
 * as the list is, so that none depends on how much is stored; the test of the
 * query plans holds them to it. Indexes of what is unfinished are partial: they
 * stay small beside millions of ended rows.
 */
#include "schema.h"

static const char *const steps[] = {
    /* 1 */
    "CREATE TABLE meta (\n"
    "    name  TEXT PRIMARY KEY, -- cursor: seq of the log up to which all is decided\n"
    "    value INTEGER NOT NULL\n"
    ") STRICT, WITHOUT ROWID;\n"

    "CREATE TABLE runs (\n"
    "    seq             INTEGER PRIMARY KEY, -- order of registration\n"
    "    id              TEXT    NOT NULL UNIQUE, -- UUIDv7\n"
    "    state           TEXT    NOT NULL, -- launching, waiting, completed, overdue, lost,\n"
    "                                      -- launch_failed\n"
    "    workflow        TEXT    NOT NULL, -- '' for a run minted offline\n"
    "    endpoint        TEXT    NOT NULL,\n"
    "    execution_id    INTEGER,\n"
    "    registered_at   INTEGER NOT NULL, -- all times: milliseconds since 1970 UTC\n"
    "    launched_at     INTEGER, -- when its execution id was recorded\n"
    "    deadline_at     INTEGER,\n"
    "    completed_at    INTEGER,\n"
    "    reason          TEXT, -- why the launch failed or it was lost\n"
    "    tags            TEXT, -- a JSON object\n"
    "    idempotency_key TEXT,\n"
    "    callback_url    TEXT,\n"
    "    result_id       TEXT, -- its final result, or the latest one\n"
    "    due_at          INTEGER AS (CASE state WHEN 'launching' THEN registered_at\n"
    "                                WHEN 'waiting' THEN deadline_at\n"
    "                                WHEN 'overdue' THEN deadline_at END) VIRTUAL\n"
    "                            -- when somebody must look at it\n"
    ") STRICT;\n"
    "CREATE INDEX runs_state ON runs (state);\n"
    "CREATE INDEX runs_workflow ON runs (workflow);\n"
    "CREATE INDEX runs_due ON runs (state, due_at) WHERE due_at IS NOT NULL;\n"
    "CREATE INDEX runs_execution ON runs (execution_id) WHERE execution_id IS NOT NULL;\n"
    "CREATE UNIQUE INDEX runs_idempotency ON runs (idempotency_key)\n"
    "    WHERE idempotency_key IS NOT NULL;\n"
    "CREATE INDEX runs_ended ON runs (registered_at)\n"
    "    WHERE state IN ('completed', 'lost', 'launch_failed');\n"

    "CREATE TABLE results (\n"
    "    seq            INTEGER PRIMARY KEY, -- of its row in received of the log\n"
    "    id             TEXT    NOT NULL UNIQUE, -- UUIDv7\n"
    "    endpoint       TEXT    NOT NULL,\n"
    "    key            TEXT    NOT NULL, -- what makes posts the same; '' when nothing does\n"
    "    kind           TEXT    NOT NULL, -- workflow-result, workspace-event, json, form\n"
    "    execution_id   INTEGER,\n"
    "    run_id         TEXT,\n"
    "    workflow       TEXT    NOT NULL, -- of its run, else as the body names it; ''\n"
    "    event          TEXT    NOT NULL, -- of a workspace event; '' otherwise\n"
    "    status         TEXT    NOT NULL, -- success, failed, running, truncated, mismatch,\n"
    "                                     -- received\n"
    "    pending        INTEGER NOT NULL, -- 1: its run is still launching, status may change\n"
    "    triggered      INTEGER NOT NULL, -- 1: its hooks were queued, or it was decided that\n"
    "                                     -- none are\n"
    "    source         TEXT    NOT NULL, -- callback, poll\n"
    "    revision       INTEGER NOT NULL, -- 1: the first for its key\n"
    "    duplicates     INTEGER NOT NULL, -- posts that repeated it\n"
    "    received_at    INTEGER NOT NULL,\n"
    "    remote_address TEXT    NOT NULL,\n"
    "    verified_by    TEXT    NOT NULL,\n"
    "    content_type   TEXT    NOT NULL,\n"
    "    size           INTEGER NOT NULL, -- bytes of the body, which stands in the log\n"
    "    sha256         BLOB    NOT NULL\n"
    ") STRICT;\n"
    "CREATE INDEX results_received ON results (received_at);\n"
    "CREATE INDEX results_status ON results (status, received_at);\n"
    "CREATE INDEX results_endpoint ON results (endpoint, received_at);\n"
    "CREATE INDEX results_workflow ON results (workflow, received_at);\n"
    "CREATE INDEX results_execution ON results (execution_id, received_at)\n"
    "    WHERE execution_id IS NOT NULL;\n"
    "CREATE INDEX results_run ON results (run_id, received_at) WHERE run_id IS NOT NULL;\n"
    /* Which keys have triggered; where there is a run, results_run tells. */
    "CREATE INDEX results_key ON results (endpoint, key)\n"
    "    WHERE key <> '' AND triggered = 1 AND status IN ('success', 'failed', 'received')\n"
    "    AND (kind <> 'workflow-result' OR run_id IS NULL);\n"
    "CREATE INDEX results_pending ON results (received_at) WHERE pending = 1;\n"

    "CREATE TABLE jobs (\n"
    "    seq              INTEGER PRIMARY KEY, -- order of queueing\n"
    "    id               TEXT    NOT NULL UNIQUE, -- UUIDv7\n"
    "    hook             TEXT    NOT NULL,\n"
    "    result_seq       INTEGER NOT NULL REFERENCES results (seq),\n"
    "    state            TEXT    NOT NULL, -- waiting, running, retrying, succeeded, dead,\n"
    "                                       -- cancelled\n"
    "    attempts_made    INTEGER NOT NULL,\n"
    "    next_at          INTEGER NOT NULL, -- not to run before; 0 when ended\n"
    "    created_at       INTEGER NOT NULL,\n"
    "    ended_at         INTEGER,\n"
    "    replay           INTEGER NOT NULL, -- 1: asked for by hand\n"
    "    cancel_requested INTEGER NOT NULL, -- 1: of a running job\n"
    "    reason           TEXT -- why dead, where no attempt says it\n"
    ") STRICT;\n"
    "CREATE INDEX jobs_hook ON jobs (hook);\n"
    "CREATE INDEX jobs_state ON jobs (state);\n"
    "CREATE INDEX jobs_hook_state ON jobs (hook, state);\n"
    "CREATE INDEX jobs_result ON jobs (result_seq);\n"
    "CREATE INDEX jobs_queue ON jobs (hook, next_at) WHERE state IN ('waiting', 'retrying');\n"

    "CREATE TABLE attempts (\n"
    "    job_seq          INTEGER NOT NULL REFERENCES jobs (seq),\n"
    "    number           INTEGER NOT NULL, -- 1, 2, ...\n"
    "    started_at       INTEGER NOT NULL,\n"
    "    ended_at         INTEGER,\n"
    "    outcome          TEXT    NOT NULL, -- running, exit, signal, timeout, spawn_error,\n"
    "                                       -- interrupted\n"
    "    exit_code        INTEGER, -- for exit\n"
    "    signal           INTEGER, -- for signal and timeout\n"
    "    message          TEXT,    -- for spawn_error\n"
    "    output_truncated INTEGER NOT NULL, -- 1: there was more\n"
    "    standard_output  BLOB,    -- the last 64 KiB\n"
    "    standard_error   BLOB,    -- the last 64 KiB\n"
    "    UNIQUE (job_seq, number)\n"
    ") STRICT;\n"

    "CREATE TABLE hooks (\n"
    "    name   TEXT PRIMARY KEY,\n"
    "    paused INTEGER NOT NULL -- 1: its jobs wait\n"
    ") STRICT, WITHOUT ROWID;\n"

    /* Counting a million waiting jobs takes longer than the answer may: the triggers count. */
    "CREATE TABLE job_counts (\n"
    "    hook  TEXT    NOT NULL,\n"
    "    state TEXT    NOT NULL,\n"
    "    jobs  INTEGER NOT NULL, -- kept by the triggers on jobs\n"
    "    PRIMARY KEY (hook, state)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE TRIGGER jobs_inserted AFTER INSERT ON jobs BEGIN\n"
    "    INSERT INTO job_counts (hook, state, jobs) VALUES (new.hook, new.state, 1)\n"
    "        ON CONFLICT (hook, state) DO UPDATE SET jobs = jobs + 1;\n"
    "END;\n"
    "CREATE TRIGGER jobs_moved AFTER UPDATE OF state ON jobs WHEN old.state <> new.state BEGIN\n"
    "    UPDATE job_counts SET jobs = jobs - 1 WHERE hook = old.hook AND state = old.state;\n"
    "    INSERT INTO job_counts (hook, state, jobs) VALUES (new.hook, new.state, 1)\n"
    "        ON CONFLICT (hook, state) DO UPDATE SET jobs = jobs + 1;\n"
    "END;\n"
    "CREATE TRIGGER jobs_removed AFTER DELETE ON jobs BEGIN\n"
    "    UPDATE job_counts SET jobs = jobs - 1 WHERE hook = old.hook AND state = old.state;\n"
    "END;\n",

    /* 2 */
    "CREATE TABLE set_aside (\n"
    "    seq          INTEGER PRIMARY KEY, -- of its row in received of the log\n"
    "    endpoint     TEXT    NOT NULL,\n"
    "    received_at  INTEGER NOT NULL,\n"
    "    set_aside_at INTEGER NOT NULL,\n"
    "    reason       TEXT    NOT NULL  -- why it can never be taken in\n"
    ") STRICT;\n"
    "CREATE INDEX set_aside_received ON set_aside (received_at);\n",

    /* 3: jobs in line, and times of the queue that no change of the clock moves */
    "ALTER TABLE jobs ADD COLUMN queued_at INTEGER NOT NULL DEFAULT 0; -- or put back\n"
    "ALTER TABLE jobs ADD COLUMN order_key TEXT; -- one at a time of those that have the same\n"
    "ALTER TABLE jobs ADD COLUMN held INTEGER NOT NULL DEFAULT 0; -- 1: behind another of its "
    "line\n"
    "UPDATE jobs SET queued_at = created_at WHERE state IN ('waiting', 'running', 'retrying');\n"
    "DROP INDEX jobs_queue;\n"
    "CREATE INDEX jobs_queue ON jobs (hook, next_at)\n"
    "    WHERE state IN ('waiting', 'retrying') AND held = 0;\n"
    "CREATE INDEX jobs_line ON jobs (hook, order_key, held)\n"
    "    WHERE order_key IS NOT NULL AND state IN ('waiting', 'retrying', 'running');\n"
    "ALTER TABLE hooks ADD COLUMN starts TEXT; -- how many at which time, for its rate\n",

    /* 4: jobs that tell of jobs that died */
    "ALTER TABLE jobs ADD COLUMN dead_job TEXT; -- id of the job that it tells of\n"
    "ALTER TABLE jobs ADD COLUMN dead_hook TEXT;\n"
    "ALTER TABLE jobs ADD COLUMN dead_reason TEXT;\n",

    /* 5: what moves many jobs counts them itself, once (state_job_counts.c) */
    "DROP TRIGGER jobs_inserted; DROP TRIGGER jobs_moved;\n",

    /* 6: an IN of three values makes a table of them for each row that is written; an OR does not
     */
    "DROP INDEX runs_ended;\n"
    "CREATE INDEX runs_ended ON runs (registered_at)\n"
    "    WHERE (state = 'completed' OR state = 'lost' OR state = 'launch_failed');\n"
    "DROP INDEX results_key;\n"
    "CREATE INDEX results_key ON results (endpoint, key)\n"
    "    WHERE key <> '' AND triggered = 1\n"
    "    AND (status = 'success' OR status = 'failed' OR status = 'received')\n"
    "    AND (kind <> 'workflow-result' OR run_id IS NULL);\n"
    "DROP INDEX jobs_line;\n"
    "CREATE INDEX jobs_line ON jobs (hook, order_key, held)\n"
    "    WHERE order_key IS NOT NULL\n"
    "    AND (state = 'waiting' OR state = 'retrying' OR state = 'running');\n",
};

const struct schema schema_state = {
    .name = "state",
    .application_id = 0x63627374, /* "cbst" */
    .steps = steps,
    .step_count = sizeof steps / sizeof steps[0],
    .page_bytes = 4096, /* its indexes are written here and there */
    .has_triggers = true,
};
