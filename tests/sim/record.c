/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "callbackd/log.h"
#include "callbackd/os.h"
#include "callbackd/text.h"

enum { LINE_BASE_BYTES = 64 * 1024 };

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int sim_record_open(struct sim_record *record, const char *path, struct error *error)
{
    record->fd = -1;
    pthread_mutex_init(&record->lock, NULL);
    if (!path)
        return 0;
    char *file = is_directory(path) ? os_path_join(path, "sent.jsonl") : text_copy(path);
    if (!file)
        return error_set(error, ERROR_MEMORY, "memory is short for a path");
    record->fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int failure = errno;
    free(file);
    if (record->fd < 0)
        return error_set_errno(error, ERROR_IO, failure, "cannot write %s", path);
    return 0;
}

void sim_record_close(struct sim_record *record)
{
    os_close(record->fd);
    pthread_mutex_destroy(&record->lock);
}

static const char *kind_name(enum sim_kind kind)
{
    static const char *const kinds[] = {
        [SIM_KIND_FIRST] = "first",
        [SIM_KIND_AGAIN] = "again",
        [SIM_KIND_REVISION] = "revision",
    };
    return kinds[kind];
}

static void write_body(struct json_writer *writer, struct bytes body)
{
    struct buffer encoded;
    buffer_init(&encoded, body.length / 3 * 4 + 8);
    text_base64_encode(body, &encoded);
    json_member_bytes(writer, "body_base64", buffer_bytes(&encoded));
    buffer_fini(&encoded);
}

void sim_sent_write(
    struct json_writer *writer, int64_t id, const char *url, const struct sim_sent *sent,
    struct bytes body)
{
    json_object_begin(writer);
    json_member_int(writer, "workflow_version_execution_id", id);
    json_member_text(writer, "kind", kind_name(sent->kind));
    json_member_int(writer, "attempt", sent->attempt);
    json_member_text(writer, "url", url);
    if (sent->status != 0)
        json_member_int(writer, "status", sent->status);
    else
        json_member_null(writer, "status");
    json_member_text(writer, "error", sent->error[0] ? sent->error : NULL);
    json_member_time(writer, "started_at", sent->started_ms);
    json_member_time(writer, "ended_at", sent->ended_ms);
    json_member_bool(writer, "cut", sent->cut);
    json_member_int(writer, "size", (int64_t)body.length);
    write_body(writer, body);
    json_object_end(writer);
}

void sim_record_append(
    struct sim_record *record, int64_t id, const char *url, const struct sim_sent *sent,
    struct bytes body)
{
    struct buffer line;
    struct json_writer writer;
    struct error error = {0};
    if (record->fd < 0)
        return;
    buffer_init(&line, body.length / 3 * 4 + LINE_BASE_BYTES);
    json_writer_init(&writer, &line);
    sim_sent_write(&writer, id, url, sent, body);
    buffer_append_char(&line, '\n');
    pthread_mutex_lock(&record->lock);
    if (buffer_failed(&line) || os_write_all(record->fd, buffer_bytes(&line), &error) != 0)
        log_error("a callback was not recorded", LOG_INT("id", id), LOG_ERROR(&error));
    pthread_mutex_unlock(&record->lock);
    buffer_fini(&line);
}
