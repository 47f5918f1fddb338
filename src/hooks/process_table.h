/* SPDX-License-Identifier: MIT */
/*
 * A look at /proc: who is whose child, in which group and session. A snapshot: before an entry
 * is acted upon, process_entry_signal makes sure that its number still means the same process.
 */
#ifndef CALLBACKD_HOOKS_PROCESS_TABLE_H
#define CALLBACKD_HOOKS_PROCESS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/id.h"

struct process_entry {
    pid_t pid;
    pid_t parent;
    pid_t group;
    pid_t session;
    char state;                 /* 'Z': ended, not reaped */
    unsigned long long started; /* ticks since boot: with the pid, an identity */
    bool descends;              /* of the calling process */
    bool chosen;                /* scratch of those who select */
    bool job_known;             /* the next three were read */
    bool has_job;
    struct id job; /* the CALLBACK_JOB_ID (or CALLBACK_WORKER_ID) in its environment */
    rlim_t mark;   /* its RLIMIT_LOCKS; 0: not known */
};

struct process_table {
    struct process_entry *entries; /* by pid */
    size_t count;
    size_t capacity;
};

int process_table_read(struct process_table *table, struct error *error);
void process_table_fini(struct process_table *table);
/* NULL: none of that number. */
struct process_entry *process_table_find(const struct process_table *table, pid_t pid);
/* Chooses every child of a chosen one, and so on; `kept` (0-terminated, may be NULL) are not
 * chosen, nor what is below them. */
void process_table_choose_below(struct process_table *table, const int *kept);

/* Still running, not merely a zombie? */
bool process_entry_is_alive(const struct process_entry *entry);
/* Sends it unless it is gone, by a descriptor, so that no other process can be hit. false: it
 * is gone, or is not ours to signal. */
bool process_entry_signal(const struct process_entry *entry, int signal);
/* Does its environment hold a CALLBACK_JOB_ID? NULL: no, or it is not ours to read. */
const struct id *process_entry_job(struct process_entry *entry);

/* What all processes of a job carry beside that, as their RLIMIT_LOCKS: it outlives an environment
 * that was cleared, and can be read of a process of another user. Never 0 or RLIM_INFINITY. */
rlim_t process_mark(const struct id *job);
/* Does it carry the job's mark, or its id in the environment? */
bool process_entry_is_of(struct process_entry *entry, const struct id *job);

/* A stream's copies serve many jobs, so they have ids of their own in place of a job's. All that
 * the engines of one store ever start are of one family, a number of PROCESS_FAMILY_BITS bits that
 * is not 0: what an earlier engine left is found by that. */
enum { PROCESS_FAMILY_BITS = 46 };
struct id process_copy_id(int64_t family, uint16_t number);
bool process_entry_is_of_family(struct process_entry *entry, int64_t family);

#endif
