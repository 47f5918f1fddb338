/* SPDX-License-Identifier: MIT */
/*
 * Where the daemon's admin API is, and with which token it is spoken to.
 * In this order: --url, --config, CALLBACKD_URL, CALLBACKD_CONFIG, the default file.
 */
#ifndef CALLBACKCTL_LOCATE_H
#define CALLBACKCTL_LOCATE_H

#include <stdbool.h>

#include "callbackd/config.h"
#include "callbackd/error.h"
#include "client.h"
#include "options.h"

/* The admin URL that was given; NULL: the configuration says where. */
const char *locate_url(const struct arguments *arguments);
/* The configuration's file: as given, or the default. Never NULL. */
const char *locate_config_path(const struct arguments *arguments);

/* Is the token given, by --token-file or CALLBACKD_TOKEN? (A --config is stronger than the
 * environment: that may be about another daemon.) Else it is the configuration's. */
bool locate_has_token(const struct arguments *arguments);

/* By URL: `config` is where the token is when it is not given; NULL: nowhere. The caller ends the
 * target with admin_target_fini. */
int locate_by_url(
    const struct arguments *arguments, const struct config *config, struct admin_target *target_out,
    struct error *error);
/* By the configuration. ERROR_UNREACHABLE when it leaves the port to the kernel and no daemon
 * has said which. */
int locate_by_config(
    const struct arguments *arguments, const struct config *config, struct admin_target *target_out,
    struct error *error);

/* The base of callback URLs: the configuration's, or what the running daemon says. The caller
 * frees. NULL: ERROR_UNREACHABLE. */
char *locate_public_url(const struct config *config, struct error *error);

/* "http://127.0.0.1:8081" for an address to listen on: a wildcard becomes loopback. The caller
 * frees; NULL when it is not host:port. */
char *locate_url_of_address(const char *address, bool tls);

#endif
