/* SPDX-License-Identifier: MIT */
#include "stream_answer.h"

#include <string.h>

#include "callbackd/json_scan.h"
#include "callbackd/os.h"

enum { DEPTH_MAX = 64 };

enum member { MEMBER_JOB, MEMBER_STATUS, MEMBER_MESSAGE, MEMBER_RETRY_AFTER, MEMBERS };
static const char *const names[MEMBERS] = {"job", "status", "message", "retry_after"};

/* The tokens of the members that mean something; of a name that comes twice, the last. */
struct scan {
    struct bytes line;
    enum member at; /* whose value comes next; MEMBERS: of none */
    struct bytes tokens[MEMBERS];
    enum json_event kinds[MEMBERS];
};

static bool is_named(struct bytes key, const char *name)
{
    if (!memchr(key.data, '\\', key.length))
        return key.length == strlen(name) + 2 && memcmp(key.data + 1, name, key.length - 2) == 0;
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, key.length);
    return json_decode_string(key, &text) == 0 && bytes_equal_text(buffer_bytes(&text), name);
}

static enum member find_member(struct bytes key)
{
    int at = 0;
    while (at < MEMBERS && !is_named(key, names[at]))
        at++;
    return (enum member)at;
}

static int take_event(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct scan *scan = context;
    struct bytes token = bytes_of(scan->line.data + start, end - start);
    if (depth == 0 && event != JSON_OBJECT_BEGIN && event != JSON_OBJECT_END)
        return error_set(error, ERROR_INVALID, "it is no object");
    if (depth != 1)
        return 0;
    if (event == JSON_KEY) {
        scan->at = find_member(token);
    } else if (scan->at != MEMBERS) {
        scan->tokens[scan->at] = token;
        scan->kinds[scan->at] = event;
        scan->at = MEMBERS;
    }
    return 0;
}

/* A text decoded, a number as it is spelled, nothing of anything else. */
static void take_text(const struct scan *scan, enum member member, struct buffer *out)
{
    buffer_clear(out);
    if (scan->tokens[member].length == 0)
        return;
    if (scan->kinds[member] == JSON_STRING)
        json_decode_string(scan->tokens[member], out);
    else if (scan->kinds[member] == JSON_NUMBER)
        buffer_append_bytes(out, scan->tokens[member]);
}

static bool take_job(const struct scan *scan, struct id *job_out)
{
    struct bytes token = scan->tokens[MEMBER_JOB];
    return token.length > 2 && scan->kinds[MEMBER_JOB] == JSON_STRING &&
           id_parse(bytes_of(token.data + 1, token.length - 2), job_out);
}

static enum stream_status status_of(struct bytes token)
{
    static const char *const spellings[] = {"\"ok\"", "\"retry\"", "\"fail\""};
    int at = 0;
    while (at < STREAM_OTHER && !bytes_equal_text(token, spellings[at]))
        at++;
    return (enum stream_status)at;
}

void stream_answer_init(struct stream_answer *answer)
{
    *answer = (struct stream_answer){.status = STREAM_OTHER};
    buffer_init(&answer->message, STREAM_ANSWER_BYTES_MAX);
    buffer_init(&answer->retry_after, STREAM_ANSWER_BYTES_MAX);
}

void stream_answer_fini(struct stream_answer *answer)
{
    buffer_fini(&answer->message);
    buffer_fini(&answer->retry_after);
}

int stream_answer_parse(struct stream_answer *answer, struct bytes line, struct error *error)
{
    struct scan scan = {.line = line, .at = MEMBERS};
    if (json_scan_text(line, DEPTH_MAX, take_event, &scan, error) != 0)
        return -1;
    if (!take_job(&scan, &answer->job))
        return error_set(error, ERROR_INVALID, "it has no \"job\" with a job's id");
    answer->status = status_of(scan.tokens[MEMBER_STATUS]);
    take_text(&scan, MEMBER_MESSAGE, &answer->message);
    take_text(&scan, MEMBER_RETRY_AFTER, &answer->retry_after);
    return 0;
}
