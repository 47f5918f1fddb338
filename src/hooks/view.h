/* SPDX-License-Identifier: MIT */
/* The engine's side of hook_view.h. */
#ifndef CALLBACKD_HOOKS_VIEW_H
#define CALLBACKD_HOOKS_VIEW_H

#include "callbackd/hook_view.h"
#include "running.h"

/* What hook_view_kill answers from now on. One of the two is NULL. */
void view_say_kill(struct hook_view *view, const char *cgroup, const char *reason);

/* What hook_view_stream answers from now on. */
void view_say_stream(struct hook_view *view, const char *hook, const struct hook_stream *stream);

/* Answers who asks about a job of one of these lists. A `view` of NULL is asked by nobody. */
void view_answer(struct hook_view *view, struct running *active, struct running *ended);
/* Nothing runs any more: nobody waits for an answer from now on. */
void view_close(struct hook_view *view);

#endif
