/* SPDX-License-Identifier: MIT */
/*
 * Every post is one of its own: another run's token, another execution. What
 * differs stands at fixed places, so that a request costs two copies of a few
 * bytes, and tokens are minted before the clock runs.
 */
#include "load_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/clock.h"

enum {
    EXECUTION_DIGITS = 15,
    TOKEN_LIFETIME_S = 86400,
};

static const char body_start[] = "{\"workflow_version_execution_id\":";
static const char body_middle[] =
    ",\"final_output\":{\"Answer\":{\"status\":\"SUCCESS\",\"value\":\"";
static const char body_end[] =
    "\",\"error_message\":null,\"raw_error_message\":null,\"is_output_node\":true}}}";

static int mint(
    const struct load_options *options, char out[static RUN_TOKEN_TEXT_BYTES], struct error *error)
{
    struct id run = id_new();
    return run_token_mint(
        &options->key, options->endpoint, &run, clock_wall_ms() / 1000 + TOKEN_LIFETIME_S, out,
        error);
}

static int mint_tokens(struct requests *requests, struct error *error)
{
    const struct load_options *options = requests->options;
    requests->token_count = options->tokens / options->workers + 1;
    requests->tokens = calloc((size_t)requests->token_count, sizeof(*requests->tokens));
    if (!requests->tokens)
        return error_set(error, ERROR_MEMORY, "no memory for tokens");
    for (int64_t i = 0; i < requests->token_count; i++) {
        if (mint(options, requests->tokens[i], error) != 0)
            return -1;
    }
    return 0;
}

static size_t own_bytes(const struct load_options *options)
{
    return options->body_bytes <= OWN_BODY_BYTES_MAX ? options->body_bytes : OWN_BODY_BYTES_MAX;
}

/* Lines of text: what models write, roughly. */
static int make_filler(struct requests *requests, struct error *error)
{
    static const char text[] = "The customer asks for a refund; see the order of last week. ";
    size_t length = requests->options->body_bytes;
    size_t end_length = sizeof(body_end) - 1;
    char *filler = malloc(length);
    if (!filler)
        return error_set(error, ERROR_MEMORY, "no memory for a body");
    for (size_t i = 0; i < length; i++)
        filler[i] = text[i % (sizeof(text) - 1)];
    memcpy(filler + length - end_length, body_end, end_length);
    requests->filler = bytes_of(filler, length);
    return 0;
}

int requests_init(
    struct requests *requests, const struct load_options *options, int worker, struct error *error)
{
    size_t least = sizeof(body_start) + EXECUTION_DIGITS + sizeof(body_middle) + sizeof(body_end);
    *requests = (struct requests){.options = options};
    if (options->body_bytes < least)
        return error_set(error, ERROR_USAGE, "the smallest body has %zu bytes", least);
    /* Apart from those of the other workers, and of a run before this one. */
    requests->execution_id =
        (clock_wall_ms() % 10000000000) * 10000 * 10 + (int64_t)worker * 1000000000;
    if (make_filler(requests, error) != 0)
        return -1;
    return options->key.count > 0 ? mint_tokens(requests, error) : 0;
}

void requests_fini(struct requests *requests)
{
    free(requests->tokens);
    free((void *)requests->filler.data);
}

static void append(struct request *request, const char *text)
{
    size_t length = strlen(text);
    memcpy(request->data + request->length, text, length);
    request->length += length;
}

static int append_head(
    struct request *request, const struct load_options *options, struct error *error)
{
    char head[HEAD_BYTES_MAX];
    int wrote = snprintf(
        head, sizeof(head),
        "POST %s%s%.*s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: load\r\n"
        "Content-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n",
        options->path, options->key.count > 0 ? "/" : "",
        options->key.count > 0 ? RUN_TOKEN_TEXT_LENGTH : 0,
        "............................................................................",
        options->port, options->body_bytes,
        options->new_connections ? "Connection: close\r\n" : "");
    if (wrote < 0 || (size_t)wrote >= sizeof(head))
        return error_set(error, ERROR_USAGE, "the path is too long");
    append(request, head);
    if (options->key.count > 0)
        request->token_at = strlen("POST ") + strlen(options->path) + 1;
    return 0;
}

int request_init(struct request *request, const struct requests *requests, struct error *error)
{
    const struct load_options *options = requests->options;
    size_t own = own_bytes(options);
    *request = (struct request){.data = malloc(HEAD_BYTES_MAX + own)};
    if (!request->data)
        return error_set(error, ERROR_MEMORY, "no memory for a request");
    if (append_head(request, options, error) != 0)
        return -1;
    size_t body_at = request->length;
    append(request, body_start);
    request->execution_at = request->length;
    append(request, "000000000000000");
    append(request, body_middle);
    size_t from = request->length - body_at;
    memcpy(request->data + request->length, requests->filler.data + from, own - from);
    request->length = body_at + own;
    request->rest = bytes_of(requests->filler.data + own, options->body_bytes - own);
    return 0;
}

void request_fini(struct request *request)
{
    free(request->data);
}

static void put_digits(char *out, int64_t value)
{
    for (int i = EXECUTION_DIGITS - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    /* A number does not begin with 0. */
    if (out[0] == '0')
        out[0] = '1';
}

void request_renew(struct request *request, struct requests *requests)
{
    put_digits(request->data + request->execution_at, requests->execution_id++);
    if (request->token_at == 0)
        return;
    char minted[RUN_TOKEN_TEXT_BYTES];
    const char *token = minted;
    if (requests->token_next < requests->token_count)
        token = requests->tokens[requests->token_next++];
    else if (mint(requests->options, minted, NULL) != 0)
        return;
    memcpy(request->data + request->token_at, token, RUN_TOKEN_TEXT_LENGTH);
}

int request_pieces(const struct request *request, size_t sent, struct iovec pieces[static 2])
{
    int count = 0;
    if (sent < request->length)
        pieces[count++] = (struct iovec){request->data + sent, request->length - sent};
    size_t rest_sent = sent > request->length ? sent - request->length : 0;
    if (rest_sent < request->rest.length)
        pieces[count++] = (struct iovec){
            (char *)request->rest.data + rest_sent, request->rest.length - rest_sent};
    return count;
}
