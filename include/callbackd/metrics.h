/* SPDX-License-Identifier: MIT */
/*
 * Counters and gauges of all processes in one shared mapping: the supervisor
 * makes it, hands the descriptor to its children, and a number survives the
 * death of the process that counted. One row of the table below is one metric,
 * with its documentation; the row drives the exposition (OpenMetrics) and
 * docs/METRICS.md.
 *
 * Threads and processes: all operations are lock-free atomics, callable from any.
 */
#ifndef CALLBACKD_METRICS_H
#define CALLBACKD_METRICS_H

#include <stdint.h>
#include <sys/types.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

/* M(identifier, exposed name without the callbackd_ prefix, type, help) */
#define METRICS_TABLE(M)                                                                           \
    M(RECEIVER_RESTARTS, "receiver_restarts", COUNTER, "Receivers started again after they died")  \
    M(WORKER_RESTARTS, "worker_restarts", COUNTER, "Workers started again after they died")        \
    M(RELOADS, "reloads", COUNTER, "Configurations taken over on SIGHUP")                          \
    M(RELOADS_REFUSED, "reloads_refused", COUNTER, "Configurations refused on SIGHUP")             \
    M(RECEIVERS, "receivers", GAUGE, "Receivers that serve: more than one after a reload")         \
    M(RECEIVERS_SECCOMP, "receivers_seccomp", GAUGE,                                               \
      "Of these, how many the kernel lets make only calls that they need")                         \
    M(RECEIVERS_LANDLOCK, "receivers_landlock", GAUGE,                                             \
      "Of these, how many the kernel lets open only the log's files")                              \
    M(CONNECTIONS, "connections", GAUGE, "Open connections of the receiver")                       \
    M(REQUESTS, "requests", COUNTER, "Requests that the receiver answered")                        \
    M(REQUESTS_LIMITED, "requests_limited", COUNTER,                                               \
      "Requests answered 429: their client had too many open")                                     \
    M(CONNECTIONS_REFUSED, "connections_refused", COUNTER,                                         \
      "Connections turned away: their client had too many open")                                   \
    M(CONNECTIONS_CUT, "connections_cut", COUNTER, "Slow connections ended because others waited") \
    M(ACCEPTED, "accepted", COUNTER, "Posts stored as a new result or revision")                   \
    M(DUPLICATES, "duplicates", COUNTER, "Posts that were already stored")                         \
    M(REJECTED, "rejected", COUNTER, "Posts answered 4xx")                                         \
    M(UNAVAILABLE, "unavailable", COUNTER, "Posts answered 503")                                   \
    M(STORE_BATCHES, "store_batches", COUNTER, "Transactions synced to the log")                   \
    M(STORE_ERRORS, "store_errors", COUNTER, "Transactions that the log could not commit")         \
    M(STORE_CHECK_RUNNING, "store_check_running", GAUGE,                                           \
      "1 while the store is checked after an unclean stop")                                        \
    M(STORE_CHECK_FINDINGS, "store_check_findings", GAUGE,                                         \
      "What that check found wrong so far: anything but 0 is damage")                              \
    M(REJECTED_DROPPED, "rejected_dropped", COUNTER,                                               \
      "Refused posts that could not be kept among the rejected")                                   \
    M(LOG_SEQ, "log_seq", GAUGE, "Sequence number of the newest entry of the log")                 \
    M(LOG_CURSOR, "log_cursor", GAUGE, "Sequence number that the worker has read up to")           \
    M(WAL_BYTES, "wal_bytes", GAUGE, "Size of the log's write-ahead file")                         \
    M(RESULTS_DECIDED, "results_decided", COUNTER, "Entries of the log taken in by the worker")    \
    M(RESULTS_SET_ASIDE, "results_set_aside", COUNTER,                                             \
      "Entries of the log that can never be taken in, set aside")                                  \
    M(RESULTS_MISMATCHED, "results_mismatched", COUNTER,                                           \
      "Results whose execution is not the one of their run")                                       \
    M(JOBS_CREATED, "jobs_created", COUNTER, "Jobs queued for hooks")                              \
    M(JOBS_SUCCEEDED, "jobs_succeeded", COUNTER, "Jobs whose hook ended well")                     \
    M(JOBS_DEAD, "jobs_dead", COUNTER, "Jobs given up")                                            \
    M(JOBS_RUNNING, "jobs_running", GAUGE, "Hooks running now")                                    \
    M(ATTEMPTS, "attempts", COUNTER, "Hooks started")                                              \
    M(ATTEMPTS_FAILED, "attempts_failed", COUNTER, "Hooks that did not end well")                  \
    M(STREAM_WORKERS, "stream_workers", GAUGE, "Processes of stream hooks running now")            \
    M(STREAM_RESTARTS, "stream_restarts", COUNTER,                                                 \
      "Processes of stream hooks that ended without being asked to")                               \
    M(RUNS_REGISTERED, "runs_registered", COUNTER, "Runs registered before their launch")          \
    M(POLLS, "polls", COUNTER, "Requests for a result made to the workflow API")                   \
    M(ADMIN_WRONG_TOKENS, "admin_wrong_tokens", COUNTER,                                           \
      "Requests to the admin API with a wrong token")

enum metric {
#define METRICS_ENUM(identifier, name, type, help) METRIC_##identifier,
    METRICS_TABLE(METRICS_ENUM)
#undef METRICS_ENUM
        METRIC_COUNT
};

struct metrics; /* the shared mapping */

/* A new mapping; *fd_out is the descriptor to hand to children (the caller's to close). */
struct metrics *metrics_create(int *fd_out, struct error *error);
/* The mapping behind a descriptor from metrics_create. Does not take the descriptor. */
struct metrics *metrics_open(int fd, struct error *error);
void metrics_close(struct metrics *metrics); /* NULL is allowed */

/* `metrics` may be NULL: nothing is counted. */
void metrics_add(struct metrics *metrics, enum metric metric, int64_t amount);
void metrics_set(struct metrics *metrics, enum metric metric, int64_t value);
int64_t metrics_get(const struct metrics *metrics, enum metric metric);
/* For a gauge that several processes have a part in, some of which may die with it: the calling
 * process's part. metrics_forget takes all parts of a process that has ended out again. */
void metrics_add_part(struct metrics *metrics, enum metric metric, int64_t amount);
void metrics_forget(struct metrics *metrics, pid_t pid);

/* Appends the OpenMetrics text (1.0), without the final "# EOF". */
int metrics_expose(const struct metrics *metrics, struct buffer *out);
/* Appends the table as Markdown, for docs/METRICS.md. */
int metrics_document(struct buffer *out);

#endif
