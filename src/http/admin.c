/* SPDX-License-Identifier: MIT */
#include "callbackd/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_private.h"
#include "callbackd/log.h"
#include "callbackd/text.h"

enum {
    ADMIN_REQUEST_TIMEOUT_MS = 10000,
    ADMIN_IDLE_TIMEOUT_MS = 15000,
    ADMIN_HEADERS_MAX_BYTES = 16384,
    ALLOW_BYTES = 64,
};

/* One row, one route. `*` in a path is one segment, given to the handler decoded. */
static const struct admin_route {
    const char *method;
    const char *path;
    enum access access;
    admin_route_handler *handler;
} routes[] = {
    {"GET", "/metrics", ACCESS_METRICS, admin_metrics},
    {"GET", "/api/v1/runs", ACCESS_READ, admin_list_runs},
    {"POST", "/api/v1/runs", ACCESS_ACT, admin_register_run},
    {"GET", "/api/v1/runs/*", ACCESS_READ, admin_get_run},
    {"PATCH", "/api/v1/runs/*", ACCESS_ACT, admin_patch_run},
    {"GET", "/api/v1/runs/*/result", ACCESS_READ, admin_await_result},
    {"GET", "/api/v1/results", ACCESS_READ, admin_list_results},
    {"GET", "/api/v1/results/*", ACCESS_READ, admin_get_result},
    {"GET", "/api/v1/results/*/body", ACCESS_READ, admin_get_body},
    {"POST", "/api/v1/results/replay", ACCESS_ACT, admin_replay_results},
    {"POST", "/api/v1/results/*/replay", ACCESS_ACT, admin_replay_result},
    {"GET", "/api/v1/jobs", ACCESS_READ, admin_list_jobs},
    {"GET", "/api/v1/jobs/*", ACCESS_READ, admin_get_job},
    {"POST", "/api/v1/jobs/*/retry", ACCESS_ACT, admin_retry_job},
    {"POST", "/api/v1/jobs/*/cancel", ACCESS_ACT, admin_cancel_job},
    {"GET", "/api/v1/hooks", ACCESS_READ, admin_list_hooks},
    {"POST", "/api/v1/hooks/*/pause", ACCESS_ACT, admin_pause_hook},
    {"POST", "/api/v1/hooks/*/resume", ACCESS_ACT, admin_resume_hook},
    {"GET", "/api/v1/status", ACCESS_READ, admin_status},
    {"GET", "/api/v1/rejected", ACCESS_READ, admin_list_rejected},
};
enum { ROUTES = sizeof(routes) / sizeof(routes[0]) };

/* ---- routing ---- */

/* Does the path fit the pattern? The segment at `*` goes, decoded, to `parameter`. */
static bool path_matches(const char *pattern, const char *path, char *parameter, size_t bytes)
{
    const char *star = strchr(pattern, '*');
    parameter[0] = '\0';
    if (star == NULL)
        return strcmp(pattern, path) == 0;
    size_t prefix = (size_t)(star - pattern);
    if (strncmp(pattern, path, prefix) != 0)
        return false;
    size_t length = strcspn(path + prefix, "/");
    if (length == 0 || strcmp(path + prefix + length, star + 1) != 0)
        return false;
    struct buffer decoded;
    buffer_init(&decoded, bytes - 1);
    bool fits = text_percent_decode(bytes_of(path + prefix, length), false, &decoded) &&
                memchr(buffer_text(&decoded), '\0', decoded.length) == NULL;
    if (fits)
        memcpy(parameter, buffer_text(&decoded), decoded.length + 1);
    buffer_fini(&decoded);
    return fits;
}

/* NULL: `allow` has the methods that the path does have, "GET, POST"; "" when there is no such
 * path. */
static const struct admin_route *find_route(
    struct admin_request *request, char allow[static ALLOW_BYTES])
{
    const char *method = http_request_method(request->http);
    const char *path = http_request_path(request->http);
    size_t length = 0;
    allow[0] = '\0';
    for (size_t i = 0; i < ROUTES; i++) {
        if (!path_matches(routes[i].path, path, request->parameter, sizeof(request->parameter)))
            continue;
        if (strcmp(routes[i].method, method) == 0)
            return &routes[i];
        int added = snprintf(
            allow + length, ALLOW_BYTES - length, "%s%s", length > 0 ? ", " : "", routes[i].method);
        if (added > 0 && (size_t)added < ALLOW_BYTES - length)
            length += (size_t)added;
    }
    return NULL;
}

bool admin_route_at(size_t index, const char **method_out, const char **path_out)
{
    if (index >= ROUTES)
        return false;
    *method_out = routes[index].method;
    *path_out = routes[index].path;
    return true;
}

/* ---- requests ---- */

static void handle(struct http_request *http, void *context)
{
    struct admin_request request = {.admin = context, .http = http};
    char allow[ALLOW_BYTES];
    const struct admin_route *route = find_route(&request, allow);
    /* Without a token nobody learns which paths exist. */
    if (!admin_may(&request, route != NULL ? route->access : ACCESS_READ))
        return;
    if (route != NULL)
        route->handler(&request);
    else if (allow[0] != '\0')
        http_respond_problem(http, ERROR_METHOD, "This path has another method.", allow);
    else
        http_respond_problem(http, ERROR_NOT_FOUND, "There is nothing at this path.", NULL);
}

/* ---- life ---- */

static struct bytes first_secret(const struct config_secrets *secrets)
{
    if (secrets->count == 0)
        return bytes_of(NULL, 0);
    return bytes_of(secrets->items[0].data, secrets->items[0].length);
}

static struct http_tls tls_of(const struct config *config)
{
    const struct config_tls *tls = &config->admin.listener.tls;
    return (struct http_tls){
        first_secret(&tls->certificate),
        first_secret(&tls->private_key),
        first_secret(&tls->client_ca),
    };
}

/* Answers are data for programs: a browser is to make nothing else of them. */
static const struct http_header standing_headers[] = {
    {"Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; "
                                "frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {NULL, NULL},
};

static int start_server(struct admin *admin, struct error *error)
{
    const struct config_tls *tls = &admin->options.config->admin.listener.tls;
    struct http_socket socket = {admin->options.listener, tls->enabled};
    struct http_server_options options = {
        .name = "admin",
        .sockets = &socket,
        .socket_count = 1,
        .tls = tls_of(admin->options.config),
        .connections = ADMIN_CONNECTIONS,
        .request_timeout_ms = ADMIN_REQUEST_TIMEOUT_MS,
        .idle_timeout_ms = ADMIN_IDLE_TIMEOUT_MS,
        .metrics = admin->options.metrics,
        .headers_max_bytes = ADMIN_HEADERS_MAX_BYTES,
        .standing_headers = standing_headers,
        .handler = handle,
        .context = admin,
    };
    admin->has_tls = tls->enabled;
    admin->server = http_server_start(&options, error);
    return admin->server != NULL ? 0 : -1;
}

struct admin *admin_start(const struct admin_options *options, struct error *error)
{
    struct admin *admin = calloc(1, sizeof(*admin));
    if (admin == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for the admin API");
        return NULL;
    }
    pthread_condattr_t monotonic;
    admin->options = *options;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_rwlock_init(&admin->config_lock, NULL);
    pthread_mutex_init(&admin->change_lock, NULL);
    pthread_cond_init(&admin->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    guesses_init(&admin->guesses);
    admin_review_tokens(options->config);
    if (start_server(admin, error) != 0) {
        admin_stop(admin);
        return NULL;
    }
    return admin;
}

/* Turned on or off, it takes a restart: the supervisor warns of that. */
static void reload_tls(struct admin *admin, const struct config *config)
{
    struct error error = {0};
    const struct http_tls tls = tls_of(config);
    if (!admin->has_tls || !config->admin.listener.tls.enabled)
        return;
    if (http_server_set_tls(admin->server, &tls, &error) != 0)
        log_error("admin certificate not taken over, the old one stays", LOG_ERROR(&error));
}

void admin_reload(struct admin *admin, const struct config *config, const char *public_url)
{
    reload_tls(admin, config);
    pthread_rwlock_wrlock(&admin->config_lock);
    admin->options.config = config;
    admin->options.public_url = public_url;
    pthread_rwlock_unlock(&admin->config_lock);
    admin_review_tokens(config);
}

void admin_notify(struct admin *admin)
{
    pthread_mutex_lock(&admin->change_lock);
    admin->generation++;
    pthread_cond_broadcast(&admin->changed);
    pthread_mutex_unlock(&admin->change_lock);
}

void admin_stop(struct admin *admin)
{
    if (admin == NULL)
        return;
    pthread_mutex_lock(&admin->change_lock);
    admin->stopping = true;
    pthread_cond_broadcast(&admin->changed);
    pthread_mutex_unlock(&admin->change_lock);
    http_server_stop(admin->server);
    pthread_cond_destroy(&admin->changed);
    pthread_mutex_destroy(&admin->change_lock);
    pthread_rwlock_destroy(&admin->config_lock);
    guesses_fini(&admin->guesses);
    free(admin);
}
