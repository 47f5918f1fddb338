/* SPDX-License-Identifier: MIT */
#include "callbackd/os.h"
#include "paths.h"
#include "state_private.h"

enum {
    QUEUE_MAX = 4096,
    WRITER_CACHE_KIB = 8192,
    READER_CACHE_KIB = 2048,
    READERS = 3,
    READ_LIMIT_MS = 3000,
    NICE = 19, /* accepting goes first; more would starve hooks beside other programs' load */
};

struct change {
    struct writer_work work; /* first: the committer hands this back */
    struct state *state;
    state_work *run;
    void *context;
};

static int run_change(struct db *db, struct writer_work *work, struct error *error)
{
    struct change *change = (struct change *)work;
    struct state_tx tx = {.state = change->state, .db = db};
    int result = change->run(&tx, change->context, error);

    if (result == 0)
        result = job_counts_write(&tx, error);
    job_counts_fini(&tx);
    return result;
}

int state_write(struct state *state, state_work *work, void *context, struct error *error)
{
    struct change change = {
        .work = {.run = run_change, .savepoint = true},
        .state = state,
        .run = work,
        .context = context,
    };

    return group_commit_submit(state->group, &change.work.group, error);
}

int state_read(struct state *state, state_work *work, void *context, struct error *error)
{
    struct state_tx tx = {.state = state, .db = reader_pool_take(&state->readers, error)};
    int result = -1;

    if (tx.db == NULL)
        return -1;
    if (db_execute(tx.db, "BEGIN", error) == 0) {
        result = work(&tx, context, error);
        (void)db_execute(tx.db, "ROLLBACK", NULL); /* nothing was written */
    }
    reader_pool_give(&state->readers, tx.db);
    return result;
}

/* ---- opening and closing ---- */

static void init_readers(struct state *state)
{
    const struct db_options options = {
        .path = state->path,
        .schema = &schema_state,
        .use = DB_READ,
        .cache_kib = READER_CACHE_KIB,
        .read_limit_ms = READ_LIMIT_MS,
    };

    reader_pool_init(&state->readers, &options, READERS);
}

static int open_writer(struct state *state, struct error *error)
{
    const struct group_options group_options = {
        .operations = &writer_operations,
        .store = &state->writer,
        .committer_name = "state-committer",
        .nice = NICE,
        .queue_max = QUEUE_MAX,
    };

    state->writer = (struct writer){
        .path = state->path,
        .schema = &schema_state,
        .cache_kib = WRITER_CACHE_KIB,
        .checkpoint_first = true,
    };
    if (writer_open(&state->writer, error) < 0)
        return -1;
    state->group = group_commit_open(&group_options, error);
    return state->group != NULL ? 0 : -1;
}

struct state *state_open(const char *directory, struct error *error)
{
    struct state *state = calloc(1, sizeof *state);

    if (state == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for the state");
        return NULL;
    }
    state->path = os_path_join(directory, STORE_STATE_FILE);
    init_readers(state);
    if (state->path == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for the state");
        state_close(state);
        return NULL;
    }
    if (open_writer(state, error) < 0 || state_clock_start(state, error) < 0) {
        state_close(state);
        return NULL;
    }
    return state;
}

void state_close(struct state *state)
{
    if (state == NULL)
        return;
    group_commit_close(state->group);
    reader_pool_fini(&state->readers);
    writer_close(&state->writer);
    free(state->path);
    free(state);
}

/* ---- cursor ---- */

static int get_number(struct state_tx *tx, const char *name, int64_t *out, struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(&row, tx->db, "SELECT value FROM meta WHERE name = ?", error) < 0)
        return -1;
    statement_bind_text(&row, name);
    stepped = statement_step(&row, error);
    if (stepped < 0)
        return -1;
    *out = stepped == 1 ? statement_int64(&row, 0) : 0;
    return 0;
}

static int set_number(struct state_tx *tx, const char *name, int64_t value, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db, "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", error) <
        0)
        return -1;
    statement_bind_text(&statement, name);
    statement_bind_int64(&statement, value);
    return statement_run(&statement, error);
}

int state_cursor_get(struct state_tx *tx, int64_t *seq_out, struct error *error)
{
    return get_number(tx, "cursor", seq_out, error);
}

int state_cursor_set(struct state_tx *tx, int64_t seq, struct error *error)
{
    return set_number(tx, "cursor", seq, error);
}

int state_rejected_cursor_get(struct state_tx *tx, int64_t *seq_out, struct error *error)
{
    return get_number(tx, "rejected_cursor", seq_out, error);
}

int state_rejected_cursor_set(struct state_tx *tx, int64_t seq, struct error *error)
{
    return set_number(tx, "rejected_cursor", seq, error);
}

/* ---- in use ---- */

int state_mark_open(struct state_tx *tx, bool *unclean_out, struct error *error)
{
    int64_t was_open;

    if (get_number(tx, "open", &was_open, error) < 0 || set_number(tx, "open", 1, error) < 0)
        return -1;
    *unclean_out = was_open != 0;
    return 0;
}

int state_mark_closed(struct state_tx *tx, struct error *error)
{
    return set_number(tx, "open", 0, error);
}
