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
#include "callbackd/text.h"
#include "headers_json.h"
#include "receiver_private.h"

enum {
    HEADERS_JSON_MAX_BYTES = 256 * 1024, /* 64 headers in 16 KiB, each byte escaped */
    REJECTED_START_BYTES = 4096,
    KEY_BYTES = 2 * BODY_TEXT_MAX + 64,
    SPARE_BUFFER_BYTES = 16384,     /* a buffer that has grown beyond is not kept */
    CONTENT_TYPE_MAX_BYTES = 16384, /* as all headers together */
};

struct post {
    struct spare spare; /* first */
    struct receiver *receiver;
    const struct receiver_endpoint *endpoint;
    struct http_request *request; /* NULL once the answer is left for later, by `reply` */
    struct http_reply reply;
    struct verify_request verify;
    struct verify_outcome outcome;
    bool verified;
    struct receiver_client client;
    int64_t received_at_ms;
    struct buffer content_type;
    struct buffer headers_json;
    struct buffer body;
    struct body_reader *reader;
    struct body_summary summary;
    char key[KEY_BYTES];
    struct result_post stored;
    struct error body_error; /* the first thing wrong with the body; reading goes on */
    int64_t reserved_bytes;
};

static const char *request_header(const void *context, const char *name)
{
    return http_request_header(context, name);
}

_Static_assert(
    (int)HTTP_FINGERPRINT_BYTES == (int)VERIFY_FINGERPRINT_BYTES, "both are SHA-256 in hex");

static bool request_certificate(
    const void *context, struct buffer *subject,
    char fingerprint_out[static VERIFY_FINGERPRINT_BYTES])
{
    return http_request_client_certificate(context, subject, fingerprint_out);
}

static void recycle(struct buffer *buffer)
{
    if (buffer->capacity > SPARE_BUFFER_BYTES)
        buffer_fini(buffer);
    else
        buffer_clear(buffer);
}

void post_end(struct spare *spare)
{
    struct post *post = (struct post *)spare;
    body_reader_free(post->reader);
    buffer_fini(&post->content_type);
    buffer_fini(&post->body);
    buffer_fini(&post->headers_json);
    free(post);
}

static struct post *post_allocate(const struct receiver *receiver)
{
    struct post *post = malloc(sizeof(*post));
    if (post == NULL)
        return NULL;
    post->reader = body_reader_new();
    buffer_init(&post->content_type, CONTENT_TYPE_MAX_BYTES);
    buffer_init(&post->headers_json, HEADERS_JSON_MAX_BYTES);
    buffer_init(&post->body, (size_t)receiver->options.config->limits.body_bytes);
    if (post->reader == NULL) {
        post_end(&post->spare);
        return NULL;
    }
    return post;
}

/* Too large for the stack. NULL: no memory. A spare one is not zeroed: what is large is written
 * before it is read. */
static struct post *post_new(
    struct receiver *receiver, const struct receiver_endpoint *endpoint,
    struct http_request *request, const char *rest, const char *client)
{
    struct post *post = (struct post *)spare_take(&receiver->posts);
    if (post == NULL)
        post = post_allocate(receiver);
    if (post == NULL)
        return NULL;
    post->receiver = receiver;
    post->endpoint = endpoint;
    post->request = request;
    post->outcome.has_run = false;
    post->outcome.delivery_id[0] = '\0';
    post->outcome.verified_by[0] = '\0';
    post->outcome.challenge = bytes_of(NULL, 0);
    post->verified = false;
    post->received_at_ms = clock_wall_ms();
    body_reader_begin(post->reader, &endpoint->rules);
    post->body_error.code = ERROR_NONE;
    post->reserved_bytes = 0;
    text_copy_cut(client, post->client.address, sizeof(post->client.address));
    post->client.count = NULL;
    post->verify = (struct verify_request){
        .path_rest = rest,
        .path = http_request_path(request),
        .query = http_request_query(request),
        .header = request_header,
        .certificate = request_certificate,
        .context = request,
        .client_address = post->client.address,
        .now_ms = post->received_at_ms,
    };
    return post;
}

static void post_free(struct post *post)
{
    atomic_fetch_sub(&post->receiver->bodies_in_flight, post->reserved_bytes);
    client_limit_leave(post->receiver->clients, post->client.count);
    recycle(&post->content_type);
    recycle(&post->body);
    recycle(&post->headers_json);
    if (!spare_give(&post->receiver->posts, &post->spare))
        post_end(&post->spare);
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
        .remote_address = post->client.address,
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

/* A refused post is kept, counted and logged before it is answered: who has the answer finds it
 * all. What cannot be kept may be sent again. */
static void note_refused(struct post *post, struct error *error)
{
    struct metrics *metrics = post->receiver->options.metrics;
    struct error keeping = {0};
    int status = error_info(error->code)->http_status;
    if (status < 500 && keep_refused(post, error, &keeping) != 0) {
        *error = keeping;
        status = error_info(error->code)->http_status;
    }
    metrics_add(metrics, status >= 500 ? METRIC_UNAVAILABLE : METRIC_REJECTED, 1);
    char run[ID_TEXT_BYTES];
    if (post->outcome.has_run)
        id_format(&post->outcome.run, run);
    /* A store that fails has said so itself; a line for each post would help to fill its disk. */
    LOG_WRITE(
        error->code == ERROR_STORE ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
        status >= 500 ? "post not stored" : "post refused",
        LOG_TEXT("endpoint", post->endpoint->config->name), LOG_INT("status", status),
        LOG_OPTIONAL("run_id", post->outcome.has_run ? run : NULL),
        LOG_TEXT("client", post->client.address), LOG_INT("size", post->body.length),
        LOG_ERROR(error));
}

/* So many bytes of the body in all are taken out of the budget of bodies in flight. */
static int reserve(void *context, size_t bytes, struct error *error)
{
    struct post *post = context;
    int64_t limit = post->receiver->options.config->limits.bodies_in_flight_bytes;
    int64_t more = (int64_t)bytes - post->reserved_bytes;
    if (more <= 0)
        return 0;
    int64_t before = atomic_fetch_add(&post->receiver->bodies_in_flight, more);
    if (before + more > limit) {
        atomic_fetch_sub(&post->receiver->bodies_in_flight, more);
        return error_set(error, ERROR_BUSY, "bodies in flight exceed limits.bodies_in_flight");
    }
    post->reserved_bytes += more;
    return 0;
}

/* The body has grown: scan on. A fault in it is kept for later, because whether the sender is
 * who it says is known only when all of it was read. */
static int on_progress(void *context, struct bytes body, struct error *error)
{
    struct post *post = context;
    if (reserve(post, body.length, error) != 0)
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
    if (headers_json_append(post->request, post->endpoint->verifier, token, &post->headers_json) !=
        0)
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
    const struct http_body_watcher watcher = {
        .grow = reserve, .progress = on_progress, .context = post};
    if (http_request_read_body(post->request, &post->body, &watcher, error) == 0)
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
    if (post->outcome.challenge.length > 0)
        return 0; /* a question, whatever the endpoint's kind */
    if (post->body_error.code == ERROR_NONE)
        body_reader_finish(post->reader, body, &post->summary, &post->body_error);
    if (post->body_error.code == ERROR_NONE)
        return 0;
    *error = post->body_error;
    return error_prefix(error, "body");
}

/* What makes two posts the same (contract, "What makes two posts the same"). NULL: nothing. */
static const char *dedupe_key(struct post *post)
{
    const struct body_summary *summary = &post->summary;
    if (post->outcome.has_run)
        id_format(&post->outcome.run, post->key);
    else if (post->outcome.delivery_id[0] != '\0')
        snprintf(post->key, KEY_BYTES, "delivery:%s", post->outcome.delivery_id);
    else if (summary->has_execution_id && summary->event[0] != '\0')
        snprintf(post->key, KEY_BYTES, "event:%s:%" PRId64, summary->event, summary->execution_id);
    else if (summary->has_execution_id)
        snprintf(post->key, KEY_BYTES, "execution:%" PRId64, summary->execution_id);
    else if (summary->has_id)
        snprintf(post->key, KEY_BYTES, "id:%s", summary->id);
    else
        return NULL;
    return post->key;
}

/* Of the post alone: nothing of the request, which may be over before it is stored. */
static int prepare_storing(struct post *post, struct error *error)
{
    const char *content_type = http_request_header(post->request, "Content-Type");
    if (buffer_append_text(&post->content_type, content_type != NULL ? content_type : "") != 0)
        return error_set(error, ERROR_MEMORY, "no memory for the content type");
    post->stored = (struct result_post){
        .endpoint = post->endpoint->config->name,
        .kind = post->endpoint->rules.kind,
        .key = dedupe_key(post),
        .has_run = post->outcome.has_run,
        .run = post->outcome.run,
        .summary = &post->summary,
        .delivery_id = post->outcome.delivery_id,
        .source = "callback",
        .received_at_ms = post->received_at_ms,
        .remote_address = post->client.address,
        .verified_by = post->outcome.verified_by,
        .content_type = buffer_text(&post->content_type),
        .headers_json = buffer_bytes(&post->headers_json),
        .body = buffer_bytes(&post->body),
    };
    return 0;
}

/* What to answer is composed here, too: the caller ends `json_out`. */
static void note_accepted(
    struct post *post, const struct result_receipt *receipt, struct buffer *json_out)
{
    char id[ID_TEXT_BYTES];
    id_format(&receipt->id, id);
    buffer_init(json_out, 512);
    struct json_writer writer;
    json_writer_init(&writer, json_out);
    json_object_begin(&writer);
    json_member_bool(&writer, "accepted", true);
    json_member_text(&writer, "result_id", id);
    json_member_bool(&writer, "duplicate", receipt->duplicate);
    json_object_end(&writer);
    metrics_add(
        post->receiver->options.metrics, receipt->duplicate ? METRIC_DUPLICATES : METRIC_ACCEPTED,
        1);
    log_debug(
        receipt->duplicate ? "duplicate received" : "result stored", LOG_TEXT("id", id),
        LOG_TEXT("endpoint", post->endpoint->config->name), LOG_INT("seq", receipt->seq),
        LOG_INT("size", post->body.length));
}

/* Both on the connection's thread: the request is still there. */

static void refuse(struct post *post, struct error *error)
{
    note_refused(post, error);
    http_respond_problem(post->request, error->code, public_detail(error), NULL);
    post_free(post);
}

/* To a sender that asks whether this URL is ours. The challenge is JSON already. */
static void answer_challenge(struct post *post)
{
    struct buffer json;
    buffer_init(&json, post->outcome.challenge.length + 32);
    buffer_append_text(&json, "{\"challenge\":");
    buffer_append_bytes(&json, post->outcome.challenge);
    buffer_append_char(&json, '}');
    http_respond_json(post->request, 200, &json);
    buffer_fini(&json);
    post_free(post);
}

static void accept_now(struct post *post, const struct result_receipt *receipt)
{
    struct buffer json;
    note_accepted(post, receipt, &json);
    http_respond_json(post->request, 200, &json);
    buffer_fini(&json);
    post_free(post);
}

/* The receiver may be gone as soon as the last answer is given, so that comes last. */
static struct http_reply let_go(struct post *post)
{
    struct receiver *receiver = post->receiver;
    struct http_reply reply = post->reply;
    post_free(post);
    atomic_fetch_sub(&receiver->requests, 1);
    return reply;
}

/* On a thread of the log. */
static void stored_later(
    void *context, const struct result_receipt *receipt, const struct error *error)
{
    struct post *post = context;
    struct http_reply reply;
    if (error != NULL) {
        struct error own = *error;
        note_refused(post, &own);
        reply = let_go(post);
        http_reply_problem(&reply, own.code, public_detail(&own));
        return;
    }
    struct buffer json;
    note_accepted(post, receipt, &json);
    reply = let_go(post);
    http_reply_json(&reply, 200, &json);
    buffer_fini(&json);
}

/* The connection's thread is free for the next request while this one waits for the disk. false:
 * not for this request. Otherwise the post is not the caller's any more. */
static bool store_later(struct post *post, struct receiver_client *client)
{
    struct error error = {0};
    if (!http_reply_later(post->request, &post->reply))
        return false;
    post->request = NULL;
    post->client.count = client->count;
    client->count = NULL;
    atomic_fetch_add(&post->receiver->requests, 1);
    if (result_log_append_later(
            post->receiver->options.log, &post->stored, stored_later, post, &error) != 0)
        stored_later(post, NULL, &error);
    return true;
}

void post_handle(
    struct receiver *receiver, const struct receiver_endpoint *endpoint,
    struct http_request *request, const char *rest, struct receiver_client *client)
{
    if (strcmp(http_request_method(request), "POST") != 0) {
        http_respond_problem(request, ERROR_METHOD, "Results are posted here.", "POST");
        return;
    }
    struct post *post = post_new(receiver, endpoint, request, rest, client->address);
    struct error error = {0};
    if (post == NULL) {
        http_respond_problem(request, ERROR_MEMORY, "There is no memory for this now.", NULL);
        return;
    }
    if (check_head(post, &error) != 0 || read_body(post, &error) != 0 ||
        check_body(post, &error) != 0) {
        refuse(post, &error);
        return;
    }
    if (post->outcome.challenge.length > 0) {
        answer_challenge(post);
        return;
    }
    if (prepare_storing(post, &error) != 0) {
        refuse(post, &error);
        return;
    }
    if (store_later(post, client))
        return;
    struct result_receipt receipt;
    if (result_log_append(receiver->options.log, &post->stored, &receipt, &error) == 0)
        accept_now(post, &receipt);
    else
        refuse(post, &error);
}
