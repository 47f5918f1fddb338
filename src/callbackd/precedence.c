/* SPDX-License-Identifier: MIT */
#include "precedence.h"

/* Over a moment that is too short the rate would be chance; then the last one counts. */
static void look(struct precedence *precedence, const struct precedence_view *view)
{
    int64_t took_ms = view->now_ms - precedence->looked_ms;
    int64_t accepted = view->accepted - precedence->accepted;
    if (took_ms < PRECEDENCE_LOOK_MS)
        return;
    precedence->is_busy = accepted * 1000 >= took_ms * PRECEDENCE_BUSY_PER_SECOND;
    if (precedence->is_busy)
        precedence->busy_at_ms = view->now_ms;
    precedence->accepted = view->accepted;
    precedence->looked_ms = view->now_ms;
}

int64_t precedence_wait_ms(struct precedence *precedence, const struct precedence_view *view)
{
    look(precedence, view);
    bool goes_on = view->now_ms - precedence->busy_at_ms < PRECEDENCE_QUIET_MS;
    precedence->lasts = precedence->lasts && goes_on;
    if (!view->is_behind) {
        precedence->lasts = precedence->lasts || (precedence->is_late && goes_on);
        precedence->behind_since_ms = 0;
        precedence->is_late = false;
        return precedence->lasts ? PRECEDENCE_GATHER_MS : 0;
    }
    if (precedence->behind_since_ms == 0)
        precedence->behind_since_ms = view->now_ms;
    precedence->is_late = view->now_ms - precedence->behind_since_ms >= PRECEDENCE_LAG_MAX_MS;
    bool holds_back = precedence->is_busy && !precedence->is_late && !precedence->lasts;
    return holds_back ? PRECEDENCE_HOLD_MS : 0;
}

bool precedence_has_much(const struct precedence *precedence)
{
    return precedence->is_late || precedence->lasts;
}

int64_t precedence_give_way_at_ns(int64_t before_ns, int64_t after_ns)
{
    int64_t waited_ns = after_ns - before_ns;
    if (waited_ns < PRECEDENCE_GAVE_MUCH_NS)
        return after_ns + PRECEDENCE_GIVE_WAY_EACH_NS;
    return after_ns + PRECEDENCE_GAVE_MUCH_TIMES * waited_ns;
}

int64_t precedence_rest_ms(const struct precedence *precedence, int64_t took_ms)
{
    if (!precedence->is_busy || took_ms < 0)
        return 0;
    return took_ms < PRECEDENCE_REST_MAX_MS ? took_ms : PRECEDENCE_REST_MAX_MS;
}
