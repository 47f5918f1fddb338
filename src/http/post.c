/* SPDX-License-Identifier: MIT */
/*
 * One post, from its head to its answer. The order matters: what can be refused
 * without reading is refused first; the signature is checked over the exact bytes
 * before anything is believed; 200 is said only when the store has it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/clock.h"
#include "callbackd/json_writer.h"
#include "callbackd/log.h"
#include "client_address.h"
#include "headers_json.h"
#include "receiver_private.h"

enum {
    HEADERS_JSON_MAX_BYTES = 256 * 1024, /* 64 headers in 16 KiB, each byte escaped */
    REJECTED_START_BYTES = 4096,
    KEY_BYTES = 2 * BODY_TEXT_MAX + 64,
};

struct post {
    struct receiver *receiver;
    const struct receiver_endpoint *endpoint;
    struct http_request *request;
    struct verify_request verify;
    struct verify_outcome outcome;
    bool verified;
    char client[CLIENT_ADDRESS_BYTES];
    int64_t received_at_ms;
    struct buffer headers_json;
    struct buffer body;
    struct body_reader *reader;
    struct body_summary summary;
    struct error body_error; /* the first thing wrong with the body; reading goes on */
    int64_t reserved_bytes;
};

static const char *request_header(const void *context, const char *name)
{
    return http_request_header(context, name);
}

static void post_init(
    struct post *post, struct receiver *receiver, const struct receiver_endpoint *endpoint,
    struct http_request *request, const char *rest)
{
    *post = (struct post){
        .receiver = receiver,
        .endpoint = endpoint,
        .request = request,
        .received_at_ms = clock_wall_ms(),
    };
    client_address_resolve(&receiver->options.config->trusted_proxies, request, post->client);
    post->verify = (struct verify_request){
        .path_rest = rest,
        .header = request_header,
        .context = request,
        .client_address = post->client,
        .now_ms = post->received_at_ms,
    };
    buffer_init(&post->headers_json, HEADERS_JSON_MAX_BYTES);
    buffer_init(&post->body, (size_t)receiver->options.config->limits.body_bytes);
}

static void post_fini(struct post *post)
{
    atomic_fetch_sub(&post->receiver->bodies_in_flight, post->reserved_bytes);
    body_reader_free(post->reader);
    buffer_fini(&post->body);
    buffer_fini(&post->headers_json);
}

/* What the sender is told: enough to help an honest one, nothing about which check failed. */
static const char *public_detail(const struct error *error)
{
    switch (error->code) {
    case ERROR_INVALID:
    case ERROR_TOO_LARGE:
    case ERROR_TIMEOUT:
        return error->message;
    case ERROR_UNAUTHORIZED:
        return "The signature or token is missing, wrong or stale.";
    case ERROR_FORBIDDEN:
        return "This address may not post here.";
    case ERROR_BUSY:
        return "Too much is under way; the same post is welcome again in a moment.";
    default:
        return "The post could not be stored now; the same post is welcome again in a moment.";
    }
}

/* Keeps a refused post where an operator can see it: whole and for certain what a genuine sender
 * said, the beginning of anything else. */
static int keep_refused(struct post *post, const struct error *why, struct error *error)
{
    struct result_log *log = post->receiver->options.log;
    struct bytes body = buffer_bytes(&post->body);
    bool is_genuine = why->code != ERROR_UNAUTHORIZED && why->code != ERROR_FORBIDDEN;
    bool has_run = post->outcome.has_run && is_genuine;
    struct rejected_post rejected = {
        .received_at_ms = post->received_at_ms,
        .endpoint = post->endpoint->config->name,
        .remote_address = post->client,
        .status = error_info(why->code)->http_status,
        .reason = why->message,
        .has_run = has_run,
        .run = post->outcome.run,
        .headers_json = buffer_bytes(&post->headers_json),
        .size = post->verified || body.length > 0 ? (int64_t)body.length : -1,
        .body = body,
    };
    /* Where nobody is verified everybody could fill the disk. */
    bool whole = post->verified && post->endpoint->config->verify_count > 0;
    if (!whole && rejected.body.length > REJECTED_START_BYTES)
        rejected.body.length = REJECTED_START_BYTES;
    if (whole || has_run)
        return result_log_reject_and_wait(log, &rejected, error);
    result_log_reject(log, &rejected);
    return 0;
}

/* Refused: keep it, count it, then answer: who has the answer finds it counted. What cannot be
 * kept may be sent again. */
static void refuse(struct post *post, struct error *error)
{
    struct metrics *metrics = post->receiver->options.metrics;
    struct error keeping = {0};
    int status = error_info(error->code)->http_status;
    if (status < 500 && keep_refused(post, error, &keeping) != 0) {
        *error = keeping;
        status = error_info(error->code)->http_status;
    }
    metrics_add(metrics, status >= 500 ? METRIC_UNAVAILABLE : METRIC_REJECTED, 1);
    http_respond_problem(post->request, error->code, public_detail(error), NULL);
    char run[ID_TEXT_BYTES];
    if (post->outcome.has_run)
        id_format(&post->outcome.run, run);
    /* A store that fails has said so itself; a line for each post would help to fill its disk. */
    LOG_WRITE(
        error->code == ERROR_STORE ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
        status >= 500 ? "post not stored" : "post refused",
        LOG_TEXT("endpoint", post->endpoint->config->name), LOG_INT("status", status),
        LOG_OPTIONAL("run_id", post->outcome.has_run ? run : NULL),
        LOG_TEXT("client", post->client), LOG_INT("size", post->body.length), LOG_ERROR(error));
}

/* Takes `more` bytes out of the budget of bodies in flight: as they come, because a length is
 * declared for free. */
static int reserve(struct post *post, int64_t more, struct error *error)
{
    int64_t limit = post->receiver->options.config->limits.bodies_in_flight_bytes;
    int64_t before = atomic_fetch_add(&post->receiver->bodies_in_flight, more);
    post->reserved_bytes += more;
    if (before + more > limit)
        return error_set(error, ERROR_BUSY, "bodies in flight exceed limits.bodies_in_flight");
    return 0;
}

/* The body has grown: scan on. A fault in it is kept for later, because whether the sender is
 * who it says is known only when all of it was read. */
static int on_progress(void *context, struct bytes body, struct error *error)
{
    struct post *post = context;
    if ((int64_t)body.length > post->reserved_bytes &&
        reserve(post, (int64_t)body.length - post->reserved_bytes, error) != 0)
        return -1;
    if (post->body_error.code == ERROR_NONE)
        body_reader_feed(post->reader, body, &post->body_error);
    return 0;
}

static int check_head(struct post *post, struct error *error)
{
    int64_t declared = http_request_body_length(post->request);
    int64_t limit = post->receiver->options.config->limits.body_bytes;
    const char *token = post->verify.path_rest[0] == '/' ? post->verify.path_rest + 1 : NULL;
    if (headers_json_append(post->request, token, &post->headers_json) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for headers");
    if (declared > limit) {
        /* Whoever sent it is told the same; but a run whose token it has must hear of it. */
        verifier_check_head(post->endpoint->verifier, &post->verify, &post->outcome, error);
        return error_set(
            error, ERROR_TOO_LARGE, "The body is larger than the %" PRId64 " bytes taken here.",
            limit);
    }
    return verifier_check_head(post->endpoint->verifier, &post->verify, &post->outcome, error);
}

static int read_body(struct post *post, struct error *error)
{
    post->reader = body_reader_new(&post->endpoint->rules);
    if (post->reader == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a body reader");
    if (http_request_read_body(post->request, &post->body, on_progress, post, error) == 0)
        return 0;
    /* A body that we cut off ourselves is no fault of the sender, who must not take it for one. */
    if (error->code == ERROR_INVALID && atomic_load(&post->receiver->stopping))
        error_set(error, ERROR_IO, "stopped before the whole body was there");
    return -1;
}

static int check_body(struct post *post, struct error *error)
{
    struct bytes body = buffer_bytes(&post->body);
    if (verifier_check_body(post->endpoint->verifier, &post->verify, body, &post->outcome, error) !=
        0)
        return -1;
    post->verified = true;
    if (post->body_error.code == ERROR_NONE)
        body_reader_finish(post->reader, body, &post->summary, &post->body_error);
    if (post->body_error.code == ERROR_NONE)
        return 0;
    *error = post->body_error;
    return error_prefix(error, "body");
}

/* What makes two posts the same (contract, "What makes two posts the same"). NULL: nothing. */
static const char *dedupe_key(const struct post *post, char out[static KEY_BYTES])
{
    const struct body_summary *summary = &post->summary;
    if (post->outcome.has_run)
        id_format(&post->outcome.run, out);
    else if (post->outcome.delivery_id[0] != '\0')
        snprintf(out, KEY_BYTES, "delivery:%s", post->outcome.delivery_id);
    else if (summary->has_execution_id && summary->event[0] != '\0')
        snprintf(out, KEY_BYTES, "event:%s:%" PRId64, summary->event, summary->execution_id);
    else if (summary->has_execution_id)
        snprintf(out, KEY_BYTES, "execution:%" PRId64, summary->execution_id);
    else if (summary->has_id)
        snprintf(out, KEY_BYTES, "id:%s", summary->id);
    else
        return NULL;
    return out;
}

static int store(struct post *post, struct result_receipt *receipt, struct error *error)
{
    char key[KEY_BYTES];
    const char *content_type = http_request_header(post->request, "Content-Type");
    struct result_post stored = {
        .endpoint = post->endpoint->config->name,
        .kind = post->endpoint->rules.kind,
        .key = dedupe_key(post, key),
        .has_run = post->outcome.has_run,
        .run = post->outcome.run,
        .summary = &post->summary,
        .delivery_id = post->outcome.delivery_id,
        .source = "callback",
        .received_at_ms = post->received_at_ms,
        .remote_address = post->client,
        .verified_by = post->outcome.verified_by,
        .content_type = content_type != NULL ? content_type : "",
        .headers_json = buffer_bytes(&post->headers_json),
        .body = buffer_bytes(&post->body),
    };
    return result_log_append(post->receiver->options.log, &stored, receipt, error);
}

static void accept_post(struct post *post, const struct result_receipt *receipt)
{
    char id[ID_TEXT_BYTES];
    id_format(&receipt->id, id);
    struct buffer json;
    buffer_init(&json, 512);
    struct json_writer writer;
    json_writer_init(&writer, &json);
    json_object_begin(&writer);
    json_member_bool(&writer, "accepted", true);
    json_member_text(&writer, "result_id", id);
    json_member_bool(&writer, "duplicate", receipt->duplicate);
    json_object_end(&writer);
    metrics_add(
        post->receiver->options.metrics, receipt->duplicate ? METRIC_DUPLICATES : METRIC_ACCEPTED,
        1);
    http_respond_json(post->request, 200, &json);
    buffer_fini(&json);
    log_debug(
        receipt->duplicate ? "duplicate received" : "result stored", LOG_TEXT("id", id),
        LOG_TEXT("endpoint", post->endpoint->config->name), LOG_INT("seq", receipt->seq),
        LOG_INT("size", post->body.length));
}

void post_handle(
    struct receiver *receiver, const struct receiver_endpoint *endpoint,
    struct http_request *request, const char *rest)
{
    if (strcmp(http_request_method(request), "POST") != 0) {
        http_respond_problem(request, ERROR_METHOD, "Results are posted here.", "POST");
        return;
    }
    struct post *post = malloc(sizeof(*post)); /* too large for a connection's stack */
    struct error error = {0};
    if (post == NULL) {
        http_respond_problem(request, ERROR_MEMORY, "There is no memory for this now.", NULL);
        return;
    }
    post_init(post, receiver, endpoint, request, rest);
    struct result_receipt receipt;
    if (check_head(post, &error) == 0 && read_body(post, &error) == 0 &&
        check_body(post, &error) == 0 && store(post, &receipt, &error) == 0)
        accept_post(post, &receipt);
    else
        refuse(post, &error);
    post_fini(post);
    free(post);
}
