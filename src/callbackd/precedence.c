/* SPDX-License-Identifier: MIT */
#include "precedence.h"

/* Whether posts have come fast since that mark, which moves. Over a moment that is too short the
 * rate would be chance; then the last one counts. */
static bool came_fast(
    struct precedence_mark *mark, const struct precedence_view *view, int64_t least_ms, bool last)
{
    int64_t took_ms = view->now_ms - mark->at_ms;
    int64_t accepted = view->accepted - mark->accepted;
    if (took_ms < least_ms)
        return last;
    *mark = (struct precedence_mark){.at_ms = view->now_ms, .accepted = view->accepted};
    return accepted * 1000 >= took_ms * PRECEDENCE_BUSY_PER_SECOND;
}

int64_t precedence_wait_ms(struct precedence *precedence, const struct precedence_view *view)
{
    precedence->is_busy =
        came_fast(&precedence->moment, view, PRECEDENCE_LOOK_MS, precedence->is_busy);
    precedence->goes_on =
        came_fast(&precedence->second, view, PRECEDENCE_LASTS_MS, precedence->goes_on);
    if (!view->is_behind) {
        precedence->lasts = precedence->goes_on && (precedence->lasts || precedence->is_late);
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
