/* SPDX-License-Identifier: MIT */
#include "service_manager.h"

#ifdef CALLBACKD_HAVE_SYSTEMD
#include <inttypes.h>
#include <systemd/sd-daemon.h>
#include <time.h>

void service_manager_ready(void)
{
    sd_notify(0, "READY=1");
}

void service_manager_reloading(void)
{
    /* By systemd's clock, which stands still while the machine sleeps. */
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, now_us);
}

void service_manager_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void service_manager_alive(void)
{
    sd_notify(0, "WATCHDOG=1");
}

int64_t service_manager_watchdog_ms(void)
{
    uint64_t interval_us = 0;
    if (sd_watchdog_enabled(0, &interval_us) <= 0)
        return -1;
    return (int64_t)(interval_us / 2000);
}
#else
void service_manager_ready(void)
{
}

void service_manager_reloading(void)
{
}

void service_manager_stopping(void)
{
}

void service_manager_alive(void)
{
}

int64_t service_manager_watchdog_ms(void)
{
    return -1;
}
#endif
