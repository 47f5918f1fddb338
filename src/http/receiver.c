/* SPDX-License-Identifier: MIT */
#include "receiver_private.h"

#include <stdlib.h>
#include <string.h>

#include "callbackd/log.h"
#include "callbackd/os.h"

enum {
    HEADERS_MAX_BYTES = 16384,
    CONNECTIONS_PER_SERVER = 1024, /* http_server_start takes no more */
};

static void answer_ready(struct receiver *receiver, struct http_request *request)
{
    struct error error = {0};
    if (result_log_check(receiver->options.log, &error) == 0)
        http_respond(request, 200, "application/json", NULL, bytes_of_text("{\"ready\":true}"));
    else
        http_respond(
            request, 503, "application/json", (struct http_header[]){{"Retry-After", "1"}, {0}},
            bytes_of_text("{\"ready\":false}"));
}

static bool is_probe(const struct http_request *request)
{
    const char *method = http_request_method(request);
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* The endpoint whose path is the request's, or stands before a further segment of it. */
static const struct receiver_endpoint *route(
    const struct receiver *receiver, const char *path, const char **rest_out)
{
    for (size_t i = 0; i < receiver->endpoint_count; i++) {
        const struct receiver_endpoint *endpoint = &receiver->endpoints[i];
        size_t length = endpoint->path_length;
        if (strncmp(path, endpoint->config->path, length) != 0)
            continue;
        const char *rest = path + length;
        bool takes_rest = verifier_uses_path(endpoint->verifier);
        if (*rest == '\0' || (*rest == '/' && takes_rest)) {
            *rest_out = rest;
            return endpoint;
        }
    }
    return NULL;
}

static void answer(
    struct receiver *receiver, struct http_request *request, struct receiver_client *client)
{
    const char *path = http_request_path(request);
    if (strcmp(path, "/healthz") == 0 && is_probe(request)) {
        http_respond(request, 200, "application/json", NULL, bytes_of_text("{\"alive\":true}"));
        return;
    }
    if (strcmp(path, "/readyz") == 0 && is_probe(request)) {
        answer_ready(receiver, request);
        return;
    }
    const char *rest = "";
    const struct receiver_endpoint *endpoint = route(receiver, path, &rest);
    if (endpoint != NULL)
        post_handle(receiver, endpoint, request, rest, client);
    else
        http_respond_problem(request, ERROR_NOT_FOUND, "There is nothing at this path.", NULL);
}

/* Nothing of it was looked at: it is not kept, and has no line of its own. */
static void turn_away(
    struct receiver *receiver, struct http_request *request, const struct receiver_client *client)
{
    client_limit_note_refusal(receiver->clients, METRIC_REQUESTS_LIMITED, client->count);
    http_respond_problem(
        request, ERROR_TOO_MANY, "Too many requests of this client are under way.", NULL);
}

static void handle(struct http_request *request, void *context)
{
    struct receiver *receiver = ((struct receiver_group *)context)->receiver;
    struct receiver_client client;
    atomic_fetch_add(&receiver->requests, 1);
    metrics_add(receiver->options.metrics, METRIC_REQUESTS, 1);
    client_address_resolve(&receiver->options.config->trusted_proxies, request, client.address);
    client.count =
        client_limit_request(receiver->clients, http_request_peer(request), client.address);
    if (client_limit_is_over(receiver->clients, client.count))
        turn_away(receiver, request, &client);
    else
        answer(receiver, request, &client);
    client_limit_leave(receiver->clients, client.count);
    atomic_fetch_sub(&receiver->requests, 1);
}

static void count_connections(void *context, int64_t open)
{
    struct receiver_group *group = context;
    int64_t before = atomic_exchange(&group->connections, open);
    metrics_add_part(group->receiver->options.metrics, METRIC_CONNECTIONS, open - before);
}

static int prepare_endpoints(struct receiver *receiver, struct error *error)
{
    const struct config *config = receiver->options.config;
    receiver->endpoints = calloc(config->endpoint_count, sizeof(*receiver->endpoints));
    if (receiver->endpoints == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for endpoints");
    for (size_t i = 0; i < config->endpoint_count; i++) {
        const struct config_endpoint *from = &config->endpoints[i];
        struct receiver_endpoint *to = &receiver->endpoints[i];
        to->config = from;
        to->path_length = strlen(from->path);
        to->rules = (struct body_rules){
            .kind = from->kind,
            .depth_max = config->limits.json_depth,
            .id_pointer = from->id_pointer,
            .status_pointer = from->status_pointer,
        };
        to->verifier = verifier_new(config, from, error);
        if (to->verifier == NULL)
            return error_prefix(error, "endpoint %s", from->name);
        receiver->endpoint_count++;
        if (from->verify_count == 0)
            log_warning("endpoint believes everybody", LOG_TEXT("endpoint", from->name));
    }
    return 0;
}

static struct bytes first_secret(const struct config_secrets *secrets)
{
    if (secrets->count == 0)
        return bytes_of(NULL, 0);
    return bytes_of(secrets->items[0].data, secrets->items[0].length);
}

static bool same_tls(const struct config_tls *a, const struct config_tls *b)
{
    return bytes_equal(first_secret(&a->certificate), first_secret(&b->certificate)) &&
           bytes_equal(first_secret(&a->private_key), first_secret(&b->private_key)) &&
           bytes_equal(first_secret(&a->client_ca), first_secret(&b->client_ca));
}

/* The group of each listener: those with the same TLS material share a server; plain ones go to
 * the first group. Returns the count of groups. */
static size_t group_listeners(const struct config *config, size_t *groups)
{
    size_t count = 0;
    for (size_t i = 0; i < config->listener_count; i++) {
        groups[i] = SIZE_MAX;
        for (size_t k = 0; k < i && config->listeners[i].tls.enabled; k++)
            if (config->listeners[k].tls.enabled &&
                same_tls(&config->listeners[k].tls, &config->listeners[i].tls))
                groups[i] = groups[k];
        if (config->listeners[i].tls.enabled && groups[i] == SIZE_MAX)
            groups[i] = count++;
    }
    for (size_t i = 0; i < config->listener_count; i++)
        if (!config->listeners[i].tls.enabled)
            groups[i] = 0;
    return count > 0 ? count : 1;
}

static int start_server(
    struct receiver *receiver, const size_t *groups, size_t group, struct error *error)
{
    const struct config *config = receiver->options.config;
    struct http_socket *sockets = calloc(config->listener_count, sizeof(*sockets));
    if (sockets == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for listeners");
    struct http_server_options options = {
        .name = "receiver",
        .sockets = sockets,
        .connections = config->limits.connections / (int)receiver->group_count,
        .on_fibers = true,
        .request_timeout_ms = config->limits.request_timeout_ms,
        .idle_timeout_ms = config->limits.idle_timeout_ms,
        .clients = receiver->clients,
        .metrics = receiver->options.metrics,
        .headers_max_bytes = HEADERS_MAX_BYTES,
        .handler = handle,
        .context = &receiver->groups[group],
        .on_connections = count_connections,
    };
    for (size_t i = 0; i < config->listener_count; i++) {
        if (groups[i] != group)
            continue;
        const struct config_tls *tls = &config->listeners[i].tls;
        sockets[options.socket_count++] =
            (struct http_socket){receiver->options.listeners[i], tls->enabled};
        if (tls->enabled)
            options.tls = (struct http_tls){
                first_secret(&tls->certificate),
                first_secret(&tls->private_key),
                first_secret(&tls->client_ca),
            };
    }
    if (options.connections < 1)
        options.connections = 1;
    if (options.connections > CONNECTIONS_PER_SERVER) {
        log_warning(
            "limits.connections is more than a server takes",
            LOG_INT("taken", CONNECTIONS_PER_SERVER));
        options.connections = CONNECTIONS_PER_SERVER;
    }
    receiver->groups[group].server = http_server_start(&options, error);
    free(sockets);
    return receiver->groups[group].server != NULL ? 0 : -1;
}

static int start_servers(struct receiver *receiver, struct error *error)
{
    const struct config *config = receiver->options.config;
    CLEANUP_FREE size_t *groups = calloc(config->listener_count, sizeof(*groups));
    if (groups == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for listeners");
    size_t count = group_listeners(config, groups);
    receiver->groups = calloc(count, sizeof(*receiver->groups));
    if (receiver->groups == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for servers");
    receiver->group_count = count;
    for (size_t i = 0; i < count; i++)
        receiver->groups[i].receiver = receiver;
    for (size_t i = 0; i < count; i++)
        if (start_server(receiver, groups, i, error) != 0)
            return -1;
    return 0;
}

struct receiver *receiver_start(const struct receiver_options *options, struct error *error)
{
    struct receiver *receiver = calloc(1, sizeof(*receiver));
    if (receiver == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for the receiver");
        return NULL;
    }
    receiver->options = *options;
    spare_init(&receiver->posts, POSTS_SPARE_MAX);
    receiver->clients = client_limit_create(
        &options->config->trusted_proxies, options->config->limits.connections_per_client,
        options->metrics, error);
    if (receiver->clients == NULL || prepare_endpoints(receiver, error) != 0 ||
        start_servers(receiver, error) != 0) {
        receiver_stop(receiver);
        return NULL;
    }
    return receiver;
}

void receiver_drain(struct receiver *receiver)
{
    for (size_t i = 0; i < receiver->group_count; i++)
        http_server_drain(receiver->groups[i].server);
}

int64_t receiver_connections(const struct receiver *receiver)
{
    int64_t open = 0;
    for (size_t i = 0; i < receiver->group_count; i++)
        open += http_server_connections(receiver->groups[i].server);
    return open;
}

int64_t receiver_requests(const struct receiver *receiver)
{
    return atomic_load(&receiver->requests);
}

void receiver_stop(struct receiver *receiver)
{
    if (receiver == NULL)
        return;
    atomic_store(&receiver->stopping, true);
    for (size_t i = 0; i < receiver->group_count; i++)
        http_server_stop(receiver->groups[i].server);
    for (size_t i = 0; i < receiver->endpoint_count; i++)
        verifier_free(receiver->endpoints[i].verifier);
    spare_fini(&receiver->posts, post_end);
    client_limit_free(receiver->clients);
    free(receiver->groups);
    free(receiver->endpoints);
    free(receiver);
}
