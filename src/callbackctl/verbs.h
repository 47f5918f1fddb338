/* SPDX-License-Identifier: MIT */
/*
 * The table of verbs: a row each, written where the verb is (verb_*.c). The rows
 * drive dispatch, help, the man page and the shell completion.
 */
#ifndef CALLBACKCTL_VERBS_H
#define CALLBACKCTL_VERBS_H

#include <stddef.h>

#include "callbackd/error.h"
#include "options.h"
#include "session.h"

struct verb {
    const char *name;
    const char *operands; /* "RUN_ID"; "" when it takes none */
    size_t operands_min;
    size_t operands_max;
    const char *summary;              /* one line, lower case, no full stop */
    const char *description;          /* sentences, paragraphs apart by an empty line; may be "" */
    const struct option_row *options; /* its own; NULL: only those of all */
    /* The exit status, or -1 with `error` filled. */
    int (*run)(struct session *session, struct error *error);
};

/* The i-th verb in the order of the help; NULL past the end. */
const struct verb *verb_at(size_t index);
/* NULL when there is none of that name. */
const struct verb *verb_find(const char *name);
/* The verb whose name is nearest, for "did you mean"; NULL when none is near. */
const struct verb *verb_nearest(const char *name);

extern const struct verb verb_init;
extern const struct verb verb_run;
extern const struct verb verb_wait;
extern const struct verb verb_runs;
extern const struct verb verb_results;
extern const struct verb verb_show;
extern const struct verb verb_jobs;
extern const struct verb verb_job;
extern const struct verb verb_retry;
extern const struct verb verb_cancel;
extern const struct verb verb_replay;
extern const struct verb verb_hooks;
extern const struct verb verb_hook;
extern const struct verb verb_pause;
extern const struct verb verb_resume;
extern const struct verb verb_rejected;
extern const struct verb verb_status;
extern const struct verb verb_backup;
extern const struct verb verb_check;
extern const struct verb verb_verify;
extern const struct verb verb_url;
extern const struct verb verb_help;

#endif
