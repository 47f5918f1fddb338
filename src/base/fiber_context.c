/* SPDX-License-Identifier: MIT */
#include "fiber_context.h"

#include <signal.h>
#include <stdlib.h>

#if defined(__USE_FORTIFY_LEVEL) && __USE_FORTIFY_LEVEL > 0 && !defined(__SANITIZE_ADDRESS__) &&   \
    !defined(__SANITIZE_THREAD__)
#error "longjmp would be checked (src/base/CMakeLists.txt)"
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <dlfcn.h>
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>

/* The C library's own: the sanitizer's only adds a warning to standard error, for those that do not
 * tell it of a switch. */
static int (*swap_machines)(ucontext_t *from, const ucontext_t *to);

static void find_swap(void)
{
    void *library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    *(void **)&swap_machines = library != NULL ? dlsym(library, "swapcontext") : NULL;
    if (swap_machines == NULL)
        swap_machines = swapcontext;
}
#elif defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>

static int (*const swap_machines)(ucontext_t *from, const ucontext_t *to) = swapcontext;
#endif

/* Returns when somebody swaps back. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static void swap(struct fiber_context *from, struct fiber_context *to)
{
    (void)swap_machines(&from->machine, &to->machine);
}
#else
static void swap(struct fiber_context *from, struct fiber_context *to)
{
    if (_setjmp(from->place) != 0)
        return;
    if (to->begun)
        _longjmp(to->place, 1);
    to->begun = true;
    (void)setcontext(&to->machine);
    abort(); /* it came back */
}
#endif

void fiber_context_of_thread(struct fiber_context *context)
{
    *context = (struct fiber_context){.begun = true};
#if defined(__SANITIZE_ADDRESS__)
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, find_swap);
#endif
#if defined(__SANITIZE_THREAD__)
    context->sanitizer = __tsan_get_current_fiber();
#endif
}

void fiber_context_init(
    struct fiber_context *context, void *stack, size_t stack_bytes, void (*run)(void))
{
    *context = (struct fiber_context){.stack = stack, .stack_bytes = stack_bytes};
#if defined(__SANITIZE_THREAD__)
    context->sanitizer = __tsan_create_fiber(0);
#endif
    (void)getcontext(&context->machine);
    (void)sigfillset(&context->machine.uc_sigmask); /* as its loop has it */
    context->machine.uc_stack.ss_sp = stack;
    context->machine.uc_stack.ss_size = stack_bytes;
    context->machine.uc_link = NULL;
    makecontext(&context->machine, run, 0);
}

void fiber_context_fini(struct fiber_context *context)
{
#if defined(__SANITIZE_THREAD__)
    if (context->sanitizer)
        __tsan_destroy_fiber(context->sanitizer);
#endif
    context->sanitizer = NULL;
}

static void switch_to(struct fiber_context *from, struct fiber_context *to, bool for_good)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(for_good ? NULL : &from->sanitizer, to->stack, to->stack_bytes);
#elif defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(to->sanitizer, 0);
#endif
    (void)for_good;
    swap(from, to);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(from->sanitizer, NULL, NULL);
#endif
}

void fiber_context_switch(struct fiber_context *from, struct fiber_context *to)
{
    switch_to(from, to, false);
}

void fiber_context_enter(struct fiber_context *from)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(NULL, &from->stack, &from->stack_bytes);
#endif
    (void)from;
}

void fiber_context_leave(struct fiber_context *from, struct fiber_context *to)
{
    switch_to(from, to, true);
}
