/* SPDX-License-Identifier: MIT */
#include "callbackd/completion.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "callbackd/fibers.h"

enum { OVER, OPEN, AWAITED };

void completion_begin(struct completion *completion)
{
    completion->fiber = fiber_self();
    atomic_store_explicit(&completion->state, OPEN, memory_order_relaxed);
}

bool completion_is_over(const struct completion *completion)
{
    return atomic_load_explicit(&completion->state, memory_order_acquire) == OVER;
}

/* Whether the end is announced, by the one that brings it about. */
static bool asks_for_notice(struct completion *completion)
{
    unsigned state = OPEN;
    return atomic_compare_exchange_strong_explicit(
        &completion->state, &state, AWAITED, memory_order_acquire, memory_order_acquire);
}

void completion_wait(struct completion *completion)
{
    if (completion_is_over(completion) || !asks_for_notice(completion))
        return;
    if (completion->fiber != NULL) {
        fiber_park();
        return;
    }
    while (!completion_is_over(completion))
        (void)syscall(SYS_futex, &completion->state, FUTEX_WAIT_PRIVATE, AWAITED, NULL, NULL, 0);
}

void completion_end(struct completion *completion)
{
    struct fiber *fiber = completion->fiber;
    if (atomic_exchange_explicit(&completion->state, OVER, memory_order_acq_rel) != AWAITED)
        return;
    if (fiber != NULL)
        fiber_unpark(fiber);
    else
        (void)syscall(SYS_futex, &completion->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
