/* SPDX-License-Identifier: MIT */
/*
 * From one stack to another: the C library's ucontext, and what sanitizers have to be told of it.
 *
 * Threads: both contexts of a switch belong to the calling thread.
 */
#ifndef CALLBACKD_BASE_FIBER_CONTEXT_H
#define CALLBACKD_BASE_FIBER_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

struct fiber_context {
    ucontext_t machine;
    const void *stack; /* NULL: the thread's own, not known yet */
    size_t stack_bytes;
    void *sanitizer; /* its state of what does not run */
};

/* The one that the thread began with. */
void fiber_context_of_thread(struct fiber_context *context);
/* One that starts with `run` when it is first switched to. */
void fiber_context_init(
    struct fiber_context *context, void *stack, size_t stack_bytes, void (*run)(void));
void fiber_context_fini(struct fiber_context *context);

/* Returns when somebody switches back. */
void fiber_context_switch(struct fiber_context *from, struct fiber_context *to);
/* The first thing in `run`: it was switched to from there. */
void fiber_context_enter(struct fiber_context *from);
/* Does not come back. */
void fiber_context_leave(struct fiber_context *from, struct fiber_context *to);

#endif
