/* SPDX-License-Identifier: MIT */
/*
 * A job that was just put into the queue does not run while its hook is paused, or is not
 * configured: who asked for it is told so, and what to do. Threads: the main one.
 */
#ifndef CALLBACKCTL_HOOK_NOTE_H
#define CALLBACKCTL_HOOK_NOTE_H

#include "session.h"

/*
 * Asks the daemon for its hooks and says on standard error what the given jobs wait for: `job` is
 * one, `jobs` a list of them; either may be NULL. Nothing when they run, with --json, or when the
 * daemon does not say: what was asked for is done all the same.
 */
void hook_note_say(struct session *session, const struct json *job, const struct json *jobs);

#endif
