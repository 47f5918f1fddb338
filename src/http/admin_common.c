/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin_private.h"
#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "callbackd/text.h"

const struct config *admin_lock_config(struct admin *admin)
{
    pthread_rwlock_rdlock(&admin->config_lock);
    return admin->options.config;
}

void admin_unlock_config(struct admin *admin)
{
    pthread_rwlock_unlock(&admin->config_lock);
}

bool admin_hold(struct admin *admin, struct error *error)
{
    if (atomic_fetch_add(&admin->held, 1) < ADMIN_HELD_MAX)
        return true;
    admin_release(admin);
    error_set(
        error, ERROR_BUSY, "%d requests wait already; ask again in a moment, or without waiting.",
        ADMIN_HELD_MAX);
    return false;
}

void admin_release(struct admin *admin)
{
    atomic_fetch_sub(&admin->held, 1);
}

void admin_wake_worker(struct admin *admin)
{
    uint64_t one = 1;
    if (write(admin->options.wake_fd, &one, sizeof(one)) != sizeof(one))
        log_debug("worker is awake already");
}

void admin_fail(struct admin_request *request, const struct error *error)
{
    if (error_info(error->code)->http_status >= 500)
        log_warning("admin request failed", LOG_ERROR(error));
    http_respond_problem(request->http, error->code, error->message, NULL);
}

void admin_answer(struct admin_request *request, int status, const struct buffer *json)
{
    if (buffer_failed(json))
        http_respond_problem(
            request->http, ERROR_MEMORY, "The answer is too large; ask for fewer items.", NULL);
    else
        http_respond_json(request->http, status, json);
}

int admin_path_id(const struct admin_request *request, struct id *id_out, struct error *error)
{
    if (id_parse(bytes_of_text(request->parameter), id_out))
        return 0;
    return error_set(error, ERROR_NOT_FOUND, "There is nothing with this id.");
}

int admin_query(
    const struct admin_request *request, const char *name, char *out, size_t out_bytes,
    struct error *error)
{
    struct buffer value;
    buffer_init(&value, out_bytes - 1);
    out[0] = '\0';
    int result = 0;
    int found = http_request_parameter(request->http, name, &value);
    /* A filter that cannot be read must not be taken for none. */
    if (buffer_failed(&value))
        result = error_set(error, ERROR_INVALID, "The parameter %s is too long.", name);
    else if (found < 0)
        result = error_set(error, ERROR_INVALID, "The parameter %s is badly escaped.", name);
    else if (memchr(buffer_text(&value), '\0', value.length) != NULL)
        result = error_set(error, ERROR_INVALID, "The parameter %s holds a NUL.", name);
    else
        snprintf(out, out_bytes, "%s", buffer_text(&value));
    buffer_fini(&value);
    return result;
}

int admin_query_page(
    const struct admin_request *request, int *limit_out, struct id *cursor_out,
    bool *has_cursor_out, struct error *error)
{
    char text[64];
    int64_t limit = ADMIN_PAGE_DEFAULT;
    if (admin_query(request, "limit", text, sizeof(text), error) != 0)
        return -1;
    if (text[0] != '\0' &&
        (!text_parse_int64(bytes_of_text(text), &limit) || limit < 1 || limit > ADMIN_PAGE_MAX))
        return error_set(error, ERROR_INVALID, "limit is a number from 1 to %d.", ADMIN_PAGE_MAX);
    if (admin_query(request, "cursor", text, sizeof(text), error) != 0)
        return -1;
    *has_cursor_out = text[0] != '\0';
    if (*has_cursor_out && !id_parse(bytes_of_text(text), cursor_out))
        return error_set(error, ERROR_INVALID, "cursor is a next_cursor of an earlier answer.");
    *limit_out = (int)limit;
    return 0;
}

int admin_query_time(
    const struct admin_request *request, const char *name, int64_t *wall_ms_out,
    struct error *error)
{
    char text[64];
    int64_t ago_ms;
    *wall_ms_out = 0;
    if (admin_query(request, name, text, sizeof(text), error) != 0)
        return -1;
    if (text[0] == '\0' || clock_parse_rfc3339(text, wall_ms_out))
        return 0;
    if (!text_parse_duration_ms(text, &ago_ms))
        return error_set(
            error, ERROR_INVALID, "%s is a time (2026-01-31T12:00:00Z) or how long ago (2h).",
            name);
    *wall_ms_out = clock_wall_ms() - ago_ms;
    return 0;
}

struct json_document *admin_read_object(struct admin_request *request, struct error *error)
{
    struct buffer body;
    buffer_init(&body, ADMIN_BODY_MAX_BYTES);
    struct json_document *document = NULL;
    if (http_request_read_body(request->http, &body, NULL, error) == 0)
        document = json_parse(buffer_bytes(&body), error);
    if (document != NULL && json_type_of(json_root(document)) != JSON_TYPE_OBJECT) {
        error_set(error, ERROR_INVALID, "The body is a JSON object.");
        json_document_free(document);
        document = NULL;
    }
    buffer_fini(&body);
    return document;
}

void admin_list_begin(struct admin_list *list, int limit)
{
    *list = (struct admin_list){.limit = limit};
    buffer_init(&list->json, ADMIN_ANSWER_MAX_BYTES);
    json_writer_init(&list->writer, &list->json);
    json_object_begin(&list->writer);
    json_key(&list->writer, "items");
    json_array_begin(&list->writer);
}

bool admin_list_add(struct admin_list *list, const struct id *id)
{
    list->count++;
    if (list->count > list->limit)
        return false;
    id_format(id, list->last_id);
    return true;
}

void admin_list_answer(struct admin_request *request, struct admin_list *list)
{
    json_array_end(&list->writer);
    json_member_text(
        &list->writer, "next_cursor", list->count > list->limit ? list->last_id : NULL);
    json_object_end(&list->writer);
    admin_answer(request, 200, &list->json);
}

void admin_write_id(struct json_writer *writer, const char *key, const struct id *id)
{
    char text[ID_TEXT_BYTES];
    if (id != NULL)
        id_format(id, text);
    json_member_text(writer, key, id != NULL ? text : NULL);
}

/* Execution ids are texts: JavaScript would round a number above 2^53. */
void admin_write_execution(struct json_writer *writer, bool has_id, int64_t execution_id)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, execution_id);
    json_member_text(writer, "execution_id", has_id ? text : NULL);
}

void admin_write_result(
    struct json_writer *writer, const struct result_record *result, struct bytes headers_json)
{
    char sha256[2 * sizeof(result->sha256) + 1];
    text_hex_encode(bytes_of(result->sha256, sizeof(result->sha256)), sha256);
    json_object_begin(writer);
    admin_write_id(writer, "id", &result->id);
    json_member_text(writer, "endpoint", result->endpoint);
    json_member_text(writer, "kind", body_kind_name(result->kind));
    admin_write_execution(writer, result->has_execution_id, result->execution_id);
    admin_write_id(writer, "run_id", result->has_run ? &result->run : NULL);
    json_member_text(writer, "workflow", result->workflow);
    json_member_text(writer, "event", result->event);
    json_member_text(writer, "status", result_status_name(result->status));
    json_member_bool(writer, "pending", result->pending);
    json_member_text(writer, "source", result->source);
    json_member_int(writer, "revision", result->revision);
    json_member_int(writer, "duplicates", result->duplicates);
    json_member_time(writer, "received_at", result->received_at_ms);
    json_member_text(writer, "remote_address", result->remote_address);
    json_member_text(writer, "verified_by", result->verified_by);
    json_member_int(writer, "size", result->size);
    json_member_text(writer, "sha256", sha256);
    json_member_text(writer, "content_type", result->content_type);
    if (headers_json.length > 0)
        json_member_raw(writer, "headers", headers_json);
    json_object_end(writer);
}
