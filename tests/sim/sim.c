/* SPDX-License-Identifier: MIT */
#include "sim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "callbackd/clock.h"
#include "callbackd/text.h"
#include "sim_private.h"

enum { BODY_MAX_BYTES = 512 * 1024 * 1024 };

/* ---- start and stop ---- */

struct sim_faults sim_faults_initial(const struct sim_options *options)
{
    return (struct sim_faults){
        .delay_ms = options->delay_ms,
        .late_ms = 2000,
        .revision_ms = 100,
        .retries = options->retries,
        .retry_ms = options->retry_ms,
    };
}

struct sim *sim_start(const struct sim_options *options, struct error *error)
{
    struct sim *sim = calloc(1, sizeof *sim);
    pthread_condattr_t attributes;
    if (!sim) {
        error_set(error, ERROR_MEMORY, "memory is short");
        return NULL;
    }
    sim->options = options;
    sim->defaults = sim_faults_initial(options);
    pthread_mutex_init(&sim->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sim->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (sim_record_open(&sim->record, options->record, error) == 0)
        sim->sender = sender_start((int)options->senders, callback_work, callback_drop, sim, error);
    if (sim->sender)
        return sim;
    sim_free(sim);
    return NULL;
}

void sim_stop(struct sim *sim)
{
    pthread_mutex_lock(&sim->lock);
    sim->stopping = true;
    pthread_cond_broadcast(&sim->changed);
    pthread_mutex_unlock(&sim->lock);
}

void sim_free(struct sim *sim)
{
    if (!sim)
        return;
    sender_stop(sim->sender);
    for (size_t i = 0; i < sim->run_count; i++) {
        struct sim_run *run = sim->runs[i];
        free(run->workflow);
        free(run->callback_url);
        free(run->sent);
        sim_faults_fini(&run->faults);
        free(run);
    }
    free(sim->runs);
    sim_faults_fini(&sim->defaults);
    sim_record_close(&sim->record);
    pthread_cond_destroy(&sim->changed);
    pthread_mutex_destroy(&sim->lock);
    free(sim);
}

const struct sim_options *sim_options(const struct sim *sim)
{
    return sim->options;
}

/* ---- defaults ---- */

int sim_defaults_get(struct sim *sim, struct sim_faults *faults_out)
{
    pthread_mutex_lock(&sim->lock);
    int result = sim_faults_copy(&sim->defaults, faults_out);
    pthread_mutex_unlock(&sim->lock);
    return result;
}

void sim_defaults_set(struct sim *sim, struct sim_faults *faults)
{
    pthread_mutex_lock(&sim->lock);
    struct sim_faults old = sim->defaults;
    sim->defaults = *faults;
    pthread_mutex_unlock(&sim->lock);
    sim_faults_fini(&old);
    *faults = (struct sim_faults){0};
}

/* ---- runs ---- */

struct sim_subject sim_subject_of(const struct sim *sim, const struct sim_run *run)
{
    return (struct sim_subject){
        .seed = sim->options->seed,
        .id = run->id,
        .all_outputs = run->all_outputs,
        .faults = &run->faults,
    };
}

static int add_run_locked(struct sim *sim, struct sim_run *run)
{
    if (__builtin_add_overflow(sim->options->first_id, (int64_t)sim->run_count, &run->id))
        return -1;
    if (sim->run_count == sim->run_capacity) {
        size_t capacity = sim->run_capacity > 0 ? 2 * sim->run_capacity : 64;
        struct sim_run **runs = reallocarray(sim->runs, capacity, sizeof(struct sim_run *));
        if (!runs)
            return -1;
        sim->runs = runs;
        sim->run_capacity = capacity;
    }
    sim->runs[sim->run_count++] = run;
    return 0;
}

static struct sim_run *find_run_locked(const struct sim *sim, int64_t id)
{
    int64_t first_id = sim->options->first_id;
    if (id < first_id || (uint64_t)(id - first_id) >= sim->run_count)
        return NULL;
    return sim->runs[id - first_id];
}

static struct sim_run *make_run(const struct sim_launch *launch, int64_t now_ms)
{
    struct sim_run *run = calloc(1, sizeof *run);
    if (!run)
        return NULL;
    run->workflow = text_copy(launch->workflow);
    run->callback_url = text_copy(launch->callback_url);
    run->all_outputs = launch->all_outputs;
    run->launched_at_ms = clock_wall_ms();
    run->ready_at_ms = now_ms;
    if (launch->faults->callback != SIM_CALLBACK_BEFORE_202)
        run->ready_at_ms += launch->faults->delay_ms;
    run->callback_done = !launch->callback_url;
    if (run->workflow && (run->callback_url || !launch->callback_url)) {
        run->faults = *launch->faults;
        *launch->faults = (struct sim_faults){0};
        return run;
    }
    free(run->workflow);
    free(run->callback_url);
    free(run);
    return NULL;
}

int sim_launch(struct sim *sim, const struct sim_launch *launch, int64_t *id_out)
{
    int64_t now_ms = clock_monotonic_ms();
    struct sim_run *run = make_run(launch, now_ms);
    if (!run)
        return -1;
    pthread_mutex_lock(&sim->lock);
    int result = add_run_locked(sim, run);
    pthread_mutex_unlock(&sim->lock);
    if (result != 0) {
        sim_faults_fini(&run->faults);
        free(run->workflow);
        free(run->callback_url);
        free(run);
        return -1;
    }
    *id_out = run->id;
    callback_schedule(sim, run, now_ms);
    return 0;
}

void sim_await_callback(struct sim *sim, int64_t id)
{
    pthread_mutex_lock(&sim->lock);
    const struct sim_run *run = find_run_locked(sim, id);
    while (run && !run->callback_done && !sim->stopping)
        pthread_cond_wait(&sim->changed, &sim->lock);
    pthread_mutex_unlock(&sim->lock);
}

void sim_wait(struct sim *sim, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    pthread_mutex_lock(&sim->lock);
    while (!sim->stopping)
        if (pthread_cond_timedwait(&sim->changed, &sim->lock, &until) != 0)
            break;
    pthread_mutex_unlock(&sim->lock);
}

bool sim_poll_run(struct sim *sim, int64_t id, struct sim_look *look_out)
{
    pthread_mutex_lock(&sim->lock);
    struct sim_run *run = find_run_locked(sim, id);
    if (run) {
        const struct sim_faults *faults = &run->faults;
        bool faulty = faults->poll_times == 0 || run->polls < faults->poll_times;
        run->polls++;
        *look_out = (struct sim_look){
            .ready = clock_monotonic_ms() >= run->ready_at_ms,
            .poll = faulty ? (enum sim_poll)faults->poll : SIM_POLL_NORMAL,
            .subject = sim_subject_of(sim, run),
        };
    }
    pthread_mutex_unlock(&sim->lock);
    return run != NULL;
}

/* ---- what was done ---- */

void sim_write_runs(struct sim *sim, struct json_writer *writer)
{
    int64_t now_ms = clock_monotonic_ms();
    json_array_begin(writer);
    pthread_mutex_lock(&sim->lock);
    for (size_t i = 0; i < sim->run_count; i++) {
        const struct sim_run *run = sim->runs[i];
        json_object_begin(writer);
        json_member_int(writer, "workflow_version_execution_id", run->id);
        json_member_text(writer, "workflow", run->workflow);
        json_member_text(writer, "callback_url", run->callback_url);
        json_member_bool(writer, "return_all_outputs", run->all_outputs);
        json_member_time(writer, "launched_at", run->launched_at_ms);
        json_member_bool(writer, "ready", now_ms >= run->ready_at_ms);
        json_member_int(writer, "polls", run->polls);
        json_member_int(writer, "sent", (int64_t)run->sent_count);
        json_object_end(writer);
    }
    pthread_mutex_unlock(&sim->lock);
    json_array_end(writer);
}

/* A copy of what one run has sent; the bodies are made again, outside of the lock. */
static struct sim_sent *copy_sent(struct sim *sim, const struct sim_run *run, size_t *count_out)
{
    pthread_mutex_lock(&sim->lock);
    struct sim_sent *copy = calloc(run->sent_count + 1, sizeof *copy);
    *count_out = copy ? run->sent_count : 0;
    if (*count_out > 0)
        memcpy(copy, run->sent, run->sent_count * sizeof *copy);
    pthread_mutex_unlock(&sim->lock);
    return copy;
}

static void write_sent_of(struct sim *sim, const struct sim_run *run, struct json_writer *writer)
{
    size_t count = 0;
    struct sim_sent *sent = copy_sent(sim, run, &count);
    for (size_t i = 0; i < count; i++) {
        struct buffer body;
        buffer_init(&body, BODY_MAX_BYTES);
        if (callback_body(sim, run, sent[i].kind, &body) == 0)
            sim_sent_write(
                writer, run->id, run->callback_url, &sent[i], bytes_of(body.data, sent[i].length));
        buffer_fini(&body);
    }
    free(sent);
}

void sim_write_sent(struct sim *sim, int64_t id, struct json_writer *writer)
{
    json_array_begin(writer);
    pthread_mutex_lock(&sim->lock);
    size_t run_count = sim->run_count;
    pthread_mutex_unlock(&sim->lock);
    for (size_t i = 0; i < run_count; i++) {
        pthread_mutex_lock(&sim->lock);
        const struct sim_run *run = sim->runs[i];
        pthread_mutex_unlock(&sim->lock);
        if (id == 0 || run->id == id)
            write_sent_of(sim, run, writer);
    }
    json_array_end(writer);
}
