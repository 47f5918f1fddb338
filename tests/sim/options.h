/* SPDX-License-Identifier: MIT */
/* The command line of the simulator. Texts are borrowed from the arguments. */
#ifndef CALLBACKD_SIM_OPTIONS_H
#define CALLBACKD_SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/error.h"

struct sim_options {
    const char *listen;    /* "127.0.0.1:0" */
    const char *port_file; /* NULL: none */
    const char *api_key;   /* NULL: any key will do */
    const char *ca_file;   /* for callbacks to https; NULL: the system's */
    const char *record;    /* a file or a directory; NULL: none */
    int64_t delay_ms;
    int64_t seed;
    int64_t first_id;
    int64_t retries;
    int64_t retry_ms;
    int64_t senders;     /* threads that post callbacks */
    int64_t connections; /* of clients at the same time */
    int64_t callback_timeout_ms;
    bool help;
    bool version;
};

/* ERROR_USAGE with what is wrong. */
int sim_options_parse(
    int argument_count, char *const *arguments, struct sim_options *options_out,
    struct error *error);
void sim_options_print_help(void);

#endif
