/* SPDX-License-Identifier: MIT */
#include "callbackd/spare.h"

#include <stddef.h>

void spare_init(struct spare_stack *stack, int max)
{
    *stack = (struct spare_stack){.max = max};
    (void)pthread_mutex_init(&stack->lock, NULL);
}

void spare_fini(struct spare_stack *stack, void (*end)(struct spare *spare))
{
    struct spare *spare;
    while ((spare = spare_take(stack)) != NULL)
        end(spare);
    (void)pthread_mutex_destroy(&stack->lock);
}

struct spare *spare_take(struct spare_stack *stack)
{
    (void)pthread_mutex_lock(&stack->lock);
    struct spare *spare = stack->top;
    if (spare != NULL) {
        stack->top = spare->next;
        stack->count--;
    }
    (void)pthread_mutex_unlock(&stack->lock);
    return spare;
}

bool spare_give(struct spare_stack *stack, struct spare *spare)
{
    (void)pthread_mutex_lock(&stack->lock);
    bool wanted = stack->count < stack->max;
    if (wanted) {
        spare->next = stack->top;
        stack->top = spare;
        stack->count++;
    }
    (void)pthread_mutex_unlock(&stack->lock);
    return wanted;
}
