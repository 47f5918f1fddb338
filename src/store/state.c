/* SPDX-License-Identifier: MIT */
#include "callbackd/os.h"
#include "paths.h"
#include "state_private.h"

enum {
    QUEUE_MAX = 4096,
    WRITER_CACHE_KIB = 8192,
    CHECKPOINT_BYTES = 4 * 1024 * 1024,
    READER_CACHE_KIB = 2048,
    READERS = 3,
    READ_LIMIT_MS = 3000,
    NICE = 5, /* accepting goes first; with 19 a load that lasts leaves too little */
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
        .checkpoint_bytes = CHECKPOINT_BYTES,
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
