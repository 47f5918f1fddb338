/* SPDX-License-Identifier: MIT */
/*
 * From one stack to another, and what sanitizers have to be told of it. The C library's ucontext
 * gives a fiber its stack. From then on setjmp and longjmp do, which leave the signal mask alone
 * (all fibers of a loop have the same): swapcontext sets it by a system call each time. Sanitizers
 * know only the latter.
 *
 * Threads: both contexts of a switch belong to the calling thread.
 */
#ifndef CALLBACKD_BASE_FIBER_CONTEXT_H
#define CALLBACKD_BASE_FIBER_CONTEXT_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

struct fiber_context {
    ucontext_t machine; /* where it begins; for sanitizers, where it goes on */
    jmp_buf place;      /* where it goes on */
    bool begun;
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
