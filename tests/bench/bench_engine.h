/* SPDX-License-Identifier: MIT */
/*
 * A hook engine on a store of its own, for benchmarks: whatever fails ends the program with a
 * message. Threads: one.
 */
#ifndef CALLBACKD_BENCH_ENGINE_H
#define CALLBACKD_BENCH_ENGINE_H

#include "callbackd/hooks.h"
#include "callbackd/state.h"
#include "callbackd/store.h"

struct bench_engine {
    struct config config; /* the caller's to fill before the start: one hook */
    struct state *state;
    struct result_log *log;
    struct hook_engine *engine;
    char *runtime_directory;
};

/* The index-th argument, if there is one that is a number above 0. */
int64_t bench_option(int argc, char **argv, int index, int64_t fallback);
void bench_check(int result, const struct error *error);
/* Processor time of this process alone, in microseconds: what others do beside it hardly counts. */
double bench_own_us(void);

/* A new store in `directory`, which is made and left there. */
void bench_engine_open(struct bench_engine *bench, const char *directory);
/* A result of the log; the state does not have it yet. Its texts are constants. */
void bench_engine_append(struct bench_engine *bench, struct result_record *result_out);
void bench_engine_start(struct bench_engine *bench);
/* Until so many jobs have ended well. Returns the rounds of the engine. */
int bench_engine_run(struct bench_engine *bench, int64_t jobs);
void bench_engine_close(struct bench_engine *bench);

#endif
