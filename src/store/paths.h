/* SPDX-License-Identifier: MIT */
/* Where things lie inside store.directory (contract, "On disk"). */
#ifndef CALLBACKD_STORE_PATHS_H
#define CALLBACKD_STORE_PATHS_H

#define STORE_LOG_DIRECTORY "log"
#define STORE_LOG_FILE "log/results.db"
#define STORE_STATE_DIRECTORY "state"
#define STORE_STATE_FILE "state/state.db"

#endif
