/* SPDX-License-Identifier: MIT */
#include "follow.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "callbackd/json_writer.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "exit_status.h"
#include "listing.h"
#include "pause.h"

enum { PATH_BYTES = 4096, LOOK_MS = 300, PIECE_BYTES_MAX = 1024 * 1024 };

static const char *const streams[] = {"stdout", "stderr"};
enum { STREAMS = 2 };

struct follow {
    struct session *session;
    struct admin_client *admin;
    const char *id;
    int64_t attempt;     /* the one at hand; 0: none yet */
    char *seen[STREAMS]; /* what was shown of it last; NULL: nothing */
    char *state;         /* as it was said last */
};

static void follow_fini(struct follow *follow)
{
    for (int i = 0; i < STREAMS; i++)
        free(follow->seen[i]);
    free(follow->state);
}

/* ---- what is new ---- */

/* For each prefix of `text`, how long a shorter one of its prefixes ends it: Knuth, Morris, Pratt.
 */
static size_t *borders_of(const char *text, size_t length)
{
    size_t *borders = calloc(length + 1, sizeof(*borders));
    size_t border = 0;
    for (size_t i = 1; borders && i < length; i++) {
        while (border > 0 && text[i] != text[border])
            border = borders[border];
        border += text[i] == text[border];
        borders[i + 1] = border;
    }
    return borders;
}

size_t follow_overlap(const char *before, const char *now)
{
    size_t length = strlen(now);
    CLEANUP_FREE size_t *borders = borders_of(now, length);
    size_t matched = 0;
    if (!borders)
        return 0;
    for (; *before; before++) {
        while (matched > 0 && (matched == length || *before != now[matched]))
            matched = borders[matched];
        matched += matched < length && *before == now[matched];
    }
    return matched;
}

/* ---- showing it ---- */

static int show_json(
    const struct follow *follow, const char *stream, const char *text, struct error *error)
{
    CLEANUP_BUFFER struct buffer line;
    struct json_writer writer;
    buffer_init(&line, PIECE_BYTES_MAX);
    json_writer_init(&writer, &line);
    json_object_begin(&writer);
    json_member_int(&writer, "attempt", follow->attempt);
    json_member_text(&writer, "stream", stream);
    json_member_text(&writer, "text", text);
    json_object_end(&writer);
    buffer_append_char(&line, '\n');
    if (buffer_failed(&line))
        return error_set(error, ERROR_MEMORY, "no memory for output");
    return display_write(buffer_bytes(&line), error);
}

/* As show does: exact into a file or a pipe, harmless on a terminal. */
static int show_piece(
    const struct follow *follow, int stream, const char *text, struct error *error)
{
    const struct display *display = &follow->session->display;
    CLEANUP_BUFFER struct buffer printable;
    buffer_init(&printable, PIECE_BYTES_MAX);
    if (display->json)
        return show_json(follow, streams[stream], text, error);
    if (stream == 0)
        return display_write_foreign(display, bytes_of_text(text), error);
    if (!display->error_terminal)
        return os_write_all(STDERR_FILENO, bytes_of_text(text), error);
    if (printable_append_lines(&printable, bytes_of_text(text)) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for output");
    return os_write_all(STDERR_FILENO, buffer_bytes(&printable), error);
}

static int show_stream(
    struct follow *follow, int stream, const struct json *attempt, struct error *error)
{
    const char *now = json_get_text(json_get(attempt, streams[stream]));
    const char *before = follow->seen[stream];
    /* Nothing yet, or nothing that could be had at this look. */
    if (!now || !*now || (before && strcmp(before, now) == 0))
        return 0;
    const char *fresh = now + (before ? follow_overlap(before, now) : 0);
    if (*fresh && show_piece(follow, stream, fresh, error) != 0)
        return -1;
    char *copy = text_copy(now);
    if (!copy)
        return error_set(error, ERROR_MEMORY, "no memory for output");
    free(follow->seen[stream]);
    follow->seen[stream] = copy;
    return 0;
}

static void begin_attempt(struct follow *follow, int64_t number)
{
    follow->attempt = number;
    for (int i = 0; i < STREAMS; i++) {
        free(follow->seen[i]);
        follow->seen[i] = NULL;
    }
    if (!follow->session->display.json)
        display_note("attempt %lld", (long long)number);
}

/* Those after the one at hand too: a job may have been fast. At first, only the latest. */
static int show_attempts(
    struct follow *follow, const struct json_document *document, struct error *error)
{
    const struct json *attempts = json_get(json_root(document), "attempts");
    for (const struct json *at = json_first(attempts); at; at = json_next(at)) {
        int64_t number = 0;
        if (!json_get_int64(document, json_get(at, "n"), &number) || number < follow->attempt ||
            (follow->attempt == 0 && json_next(at)))
            continue;
        if (number > follow->attempt)
            begin_attempt(follow, number);
        for (int i = 0; i < STREAMS; i++)
            if (show_stream(follow, i, at, error) != 0)
                return -1;
    }
    return 0;
}

/* ---- until it has ended ---- */

static bool is_one_of(const char *state, const char *const *states)
{
    for (; *states; states++)
        if (strcmp(state, *states) == 0)
            return true;
    return false;
}

/* On standard error, when it changes. Takes a copy. */
static void say_state(struct follow *follow, const char *state)
{
    if (follow->session->display.json || (follow->state && strcmp(follow->state, state) == 0))
        return;
    display_note("the job is %s", state);
    free(follow->state);
    follow->state = text_copy(state);
}

/* The exit status once it has ended, EXIT_STATUS_COUNT before; -1. */
static int look(struct follow *follow, struct error *error)
{
    static const char *const ended[] = {"dead", "cancelled", NULL};
    CLEANUP_BUFFER struct buffer path;
    struct admin_answer answer;
    buffer_init(&path, PATH_BYTES);
    buffer_append_text(&path, "/api/v1/jobs");
    admin_add_segment(&path, follow->id);
    if (admin_get(follow->admin, buffer_text(&path), &answer, error) != 0)
        return -1;
    const char *state = json_get_text(json_get(json_root(answer.document), "state"));
    int status = EXIT_STATUS_COUNT;
    if (!state)
        error_set(error, ERROR_REFUSED, "the daemon's answer makes no sense");
    if (!state || show_attempts(follow, answer.document, error) != 0)
        status = -1;
    else if (strcmp(state, "succeeded") == 0)
        status = EXIT_STATUS_DONE;
    else if (is_one_of(state, ended))
        status = EXIT_STATUS_WORKFLOW_FAILED;
    if (status >= 0)
        say_state(follow, state);
    admin_answer_fini(&answer);
    return status;
}

int follow_job(struct session *session, struct error *error)
{
    struct follow follow = {.session = session, .id = session_operand_id(session, 0, error)};
    if (!follow.id)
        return -1;
    follow.admin = session_admin(session, error);
    if (!follow.admin)
        return -1;
    int status;
    while ((status = look(&follow, error)) == EXIT_STATUS_COUNT)
        pause_ms(LOOK_MS);
    follow_fini(&follow);
    return status;
}
