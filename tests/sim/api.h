/* SPDX-License-Identifier: MIT */
/* The simulator's HTTP side. Threads: those of the server. */
#ifndef CALLBACKD_SIM_API_H
#define CALLBACKD_SIM_API_H

#include "server.h"
#include "sim.h"

/* context: the struct sim. */
http_handler api_handle;

#endif
