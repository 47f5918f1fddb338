/* SPDX-License-Identifier: MIT */
/*
 * Input: what a stream's worker wrote, and a posted body. As the first it is an answer or is
 * refused as what it is. As the second it becomes a line: one, of JSON, that gives it back.
 */
#include "fuzz.h"

#include "callbackd/hooks.h"
#include "callbackd/json_scan.h"
#include "callbackd/text.h"
#include "stream_answer.h"
#include "stream_line.h"

static void check_answer(struct bytes line)
{
    struct stream_answer answer;
    struct error error = {0};
    stream_answer_init(&answer);
    if (stream_answer_parse(&answer, line, &error) == 0)
        HOLDS(answer.message.length <= line.length && answer.retry_after.length <= line.length);
    else
        HOLDS(error.code == ERROR_INVALID && error.message[0] != '\0');
    stream_answer_fini(&answer);
}

/* The same bytes, but for line ends. */
static void check_json(struct bytes body, struct bytes told)
{
    HOLDS(told.length >= body.length);
    for (size_t i = 0; i < body.length; i++) {
        bool is_end = body.data[i] == '\n' || body.data[i] == '\r';
        HOLDS(told.data[i] == (is_end ? ' ' : body.data[i]));
    }
}

static void check_base64(struct bytes body, struct bytes told)
{
    struct buffer decoded;
    buffer_init(&decoded, body.length);
    HOLDS(told.length >= 2);
    HOLDS(text_base64_decode(bytes_of(told.data + 1, told.length - 2), &decoded));
    HOLDS(bytes_equal(buffer_bytes(&decoded), body));
    buffer_fini(&decoded);
}

static void check_line(struct bytes body, enum body_kind kind)
{
    char name[] = "fuzz";
    char endpoint[] = "results";
    struct config_hook hook = {.name = name};
    struct result_record result = {.endpoint = endpoint, .kind = kind};
    const struct hook_values values = {
        .hook = &hook, .result = &result, .job_id = "job", .attempt = 1, .body = body};
    struct buffer line;
    struct bytes told;
    enum json_event event;
    buffer_init(&line, body.length * 2 + 4096);
    stream_line_append(&values, &line);
    HOLDS(!buffer_failed(&line) && line.data[line.length - 1] == '\n');
    HOLDS(!memchr(line.data, '\n', line.length - 1) && !memchr(line.data, '\r', line.length));
    struct bytes text = buffer_bytes(&line);
    if (json_scan_text(text, JSON_DEPTH_MAX, NULL, NULL, NULL) != 0)
        HOLDS(json_scan_text(body, JSON_DEPTH_MAX, NULL, NULL, NULL) == 0); /* one level deeper */
    else if (json_pointer_find(text, "/body_base64", &told, &event))
        check_base64(body, told);
    else
        check_json(body, bytes_of(strstr(buffer_text(&line), "\"body\":") + 7, body.length));
    buffer_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(data, size);
    check_answer(bytes_of(copy, size));
    check_line(bytes_of(copy, size), BODY_JSON);
    check_line(bytes_of(copy, size), BODY_FORM);
    free(copy);
    return 0;
}
