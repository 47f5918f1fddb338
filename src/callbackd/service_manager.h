/* SPDX-License-Identifier: MIT */
/* What systemd is told (sd_notify(3)); nothing happens without it. Threads: one. */
#ifndef CALLBACKD_SERVICE_MANAGER_H
#define CALLBACKD_SERVICE_MANAGER_H

#include <stdint.h>

void service_manager_ready(void);
void service_manager_reloading(void);
void service_manager_stopping(void);
void service_manager_alive(void); /* feeds the watchdog */
/* How often it wants to be fed; -1: no watchdog. */
int64_t service_manager_watchdog_ms(void);

#endif
