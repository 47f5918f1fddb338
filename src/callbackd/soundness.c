/* SPDX-License-Identifier: MIT */
#include "soundness.h"

#include "callbackd/log.h"

int soundness_init(
    struct soundness *soundness, const char *directory, struct metrics *metrics,
    struct error *error)
{
    soundness->checker = store_checker_new(directory, metrics, error);
    return soundness->checker != NULL ? 0 : -1;
}

static int mark_open(struct state_tx *tx, void *context, struct error *error)
{
    return state_mark_open(tx, context, error);
}

static int mark_closed(struct state_tx *tx, void *context, struct error *error)
{
    (void)context;
    return state_mark_closed(tx, error);
}

int soundness_begin(struct soundness *soundness, struct state *state, struct error *error)
{
    struct error failure = {0};
    bool unclean = false;
    if (soundness->marked)
        return 0;
    if (state_write(state, mark_open, &unclean, error) != 0)
        return -1;
    soundness->marked = true;
    /* No reason not to work. The mark stays, so the next start tries again. */
    if (unclean && store_checker_start(soundness->checker, &failure) != 0)
        log_error("the store is not checked", LOG_ERROR(&failure));
    return 0;
}

void soundness_end(struct soundness *soundness, struct state *state)
{
    struct error error = {0};
    if (soundness->checker == NULL)
        return;
    bool sound = store_checker_end(soundness->checker);
    store_checker_free(soundness->checker);
    soundness->checker = NULL;
    if (soundness->marked && sound && state_write(state, mark_closed, NULL, &error) != 0)
        log_warning("the store will be checked at the next start", LOG_ERROR(&error));
}
