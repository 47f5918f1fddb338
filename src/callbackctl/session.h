/* SPDX-License-Identifier: MIT */
/*
 * One call of callbackctl: its command line, and what a verb may need, opened when
 * it is first asked for: the configuration, an HTTP client, the admin client.
 *
 * Ownership: the session owns all it hands out; borrowed until session_fini.
 * Threads: the main one.
 */
#ifndef CALLBACKCTL_SESSION_H
#define CALLBACKCTL_SESSION_H

#include "callbackd/config.h"
#include "callbackd/error.h"
#include "callbackd/http_client.h"
#include "client.h"
#include "display.h"
#include "options.h"

struct verb;

/* Which secrets of the configuration are read: whoever runs callbackctl, a hook for example, may
 * have some of them and not others. */
enum session_need {
    NEED_NO_SECRET,
    NEED_ADMIN_ADDRESS, /* and the certificate to trust there */
    NEED_ADMIN_TOKEN,   /* and the address */
    NEED_API_KEY,
    NEED_RUN_TOKEN_KEY,
    NEED_VERIFY_SECRETS, /* of all schemes */
    NEED_HOOK_ENVIRONMENT,
    SESSION_NEEDS
};

struct session {
    const struct verb *verb;
    struct arguments arguments;
    struct display display;
    struct config *configs[SESSION_NEEDS]; /* NULL until session_config */
    struct http_client *http;              /* NULL until session_http */
    struct admin_client *admin;            /* NULL until session_admin */
};

/* Ends what was opened. */
void session_fini(struct session *session);

/* The configuration that --config, CALLBACKD_CONFIG or the default names. Its problems go to
 * standard error, all of them. NULL: ERROR_CONFIG, which says what may be set in its place. */
const struct config *session_config(
    struct session *session, enum session_need need, struct error *error);
/* Was a configuration named, or is there one in the default place? */
bool session_has_config(const struct session *session);
/* NULL on failure. */
struct http_client *session_http(struct session *session, struct error *error);
/* The daemon, found by the command line, the environment or the configuration. NULL on
 * failure; nothing is sent yet. */
struct admin_client *session_admin(struct session *session, struct error *error);

/* The i-th operand; NULL when it was not given. */
const char *session_operand(const struct session *session, size_t index);
/* The same, which must be an id as the daemon gives them. NULL: ERROR_USAGE. */
const char *session_operand_id(const struct session *session, size_t index, struct error *error);

#endif
