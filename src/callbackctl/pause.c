/* SPDX-License-Identifier: MIT */
#include "pause.h"

#include <errno.h>
#include <time.h>

#include "callbackd/clock.h"

void pause_ms(int64_t ms)
{
    if (ms <= 0)
        return;
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

int64_t pause_left_ms(int64_t until_ms, int64_t most_ms)
{
    if (until_ms == 0)
        return most_ms;
    int64_t left = until_ms - clock_monotonic_ms();
    if (left < 0)
        left = 0;
    return left < most_ms ? left : most_ms;
}
