/* SPDX-License-Identifier: MIT */
#include "help_texts.h"

#include <stddef.h>

const char help_introduction[] =
    "Launches workflow runs whose results callbackd receives, waits for them, and looks after "
    "results, hooks and their jobs.\n\n"
    "The daemon is found by --config on its own machine, or anywhere by --url with --token-file; "
    "CALLBACKD_CONFIG, or CALLBACKD_URL with CALLBACKD_TOKEN, stand in for them.";

const struct help_variable help_variables[] = {
    {"CALLBACKD_CONFIG", "the configuration's file, when --config is not given"},
    {"CALLBACKD_URL", "the daemon's admin address, when neither --url nor --config is given"},
    {"CALLBACKD_TOKEN", "the admin token, when neither --token-file nor --config is given"},
    {"PROMPTLAYER_API_KEY", "the workflow API's key, instead of the configuration's"},
    {"PROMPTLAYER_BASE_URL", "the workflow API's address, instead of the configuration's"},
    {"NO_COLOR", "when it is not empty, nothing is coloured"},
    {NULL, NULL},
};
