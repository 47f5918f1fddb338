/* SPDX-License-Identifier: MIT */
#include "service_manager.h"

#ifdef CALLBACKD_HAVE_SYSTEMD
#include <inttypes.h>
#include <systemd/sd-daemon.h>

#include "callbackd/clock.h"

void service_manager_ready(void)
{
    sd_notify(0, "READY=1");
}

void service_manager_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_monotonic_ns() / 1000);
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
