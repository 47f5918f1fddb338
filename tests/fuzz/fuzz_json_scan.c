/* SPDX-License-Identifier: MIT */
/*
 * The scanner says the same however the text is fed, its events nest, and cJSON takes whatever it
 * accepts, but for what cJSON cannot hold.
 */
#include "fuzz.h"

#include <cjson/cJSON.h>

#include "callbackd/json_scan.h"
#include "json_string.h"

struct trace {
    const uint8_t *data;
    size_t size;
    uint64_t digest;
    int depth; /* of open containers, counted here */
    size_t last_end;
    int deepest;
    bool beyond_cjson;
};

static void check_token(struct trace *trace, enum json_event event, size_t start, size_t end)
{
    struct bytes token = bytes_of(trace->data + start, end - start);
    bool nul, lone;
    if (event == JSON_NUMBER)
        trace->beyond_cjson |= token.length > 63;
    if (event != JSON_KEY && event != JSON_STRING)
        return;
    HOLDS(token.length >= 2 && token.data[0] == '"' && token.data[token.length - 1] == '"');
    json_string_oddities(token, &nul, &lone);
    trace->beyond_cjson |= nul || lone;
    struct buffer decoded;
    buffer_init(&decoded, token.length);
    HOLDS(json_decode_string(token, &decoded) == 0);
    HOLDS(json_string_equals(token, buffer_bytes(&decoded)));
    buffer_fini(&decoded);
}

static int note(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct trace *trace = context;
    uint64_t fields[] = {(uint64_t)event, (uint64_t)depth, start, end};
    (void)error;
    if (event == JSON_OBJECT_END || event == JSON_ARRAY_END)
        trace->depth--;
    HOLDS(depth == trace->depth && depth >= 0);
    HOLDS(start < end && start >= trace->last_end);
    trace->last_end = end;
    if (event == JSON_OBJECT_BEGIN || event == JSON_ARRAY_BEGIN)
        trace->depth++;
    if (trace->depth > trace->deepest)
        trace->deepest = trace->depth;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        trace->digest = (trace->digest ^ fields[i]) * UINT64_C(0x100000001b3);
    if (trace->data)
        check_token(trace, event, start, end);
    return 0;
}

/* Pieces of `step` bytes, the first one `first` long. */
static int scan_pieces(
    const uint8_t *data, size_t size, size_t first, size_t step, int depth_max, struct trace *trace,
    struct error *error)
{
    struct json_scan scan;
    int result = 0;
    json_scan_init(&scan, depth_max, note, trace);
    for (size_t fed = first; fed < size && result == 0; fed += step) {
        uint8_t *copy = fuzz_copy(data, fed);
        result = json_scan_feed(&scan, bytes_of(copy, fed), error);
        free(copy);
    }
    uint8_t *copy = fuzz_copy(data, size);
    if (result == 0)
        result = json_scan_finish(&scan, bytes_of(copy, size), error);
    free(copy);
    return result;
}

static void compare(
    const uint8_t *data, size_t size, size_t first, size_t step, int depth_max, int result,
    const struct trace *whole, const struct error *expected)
{
    struct trace trace = {.size = size};
    struct error error = {.code = ERROR_NONE};
    HOLDS(scan_pieces(data, size, first, step, depth_max, &trace, &error) == result);
    HOLDS(trace.digest == whole->digest);
    HOLDS(error.code == expected->code && strcmp(error.message, expected->message) == 0);
}

static void compare_with_cjson(const uint8_t *data, size_t size, const struct trace *trace)
{
    cJSON *tree = cJSON_ParseWithLength((const char *)data, size);
    HOLDS(tree || trace->beyond_cjson || trace->deepest > 900);
    cJSON_Delete(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int limits[] = {1, 3, 64, 128, JSON_DEPTH_MAX};
    int depth_max = limits[fuzz_choice(data, size, 1) % 5];
    struct trace whole = {.data = data, .size = size};
    struct error error = {.code = ERROR_NONE};
    int result = json_scan_text(bytes_of(data, size), depth_max, note, &whole, &error);
    HOLDS(result == 0 || error.code == ERROR_INVALID);
    HOLDS(result != 0 || whole.depth == 0);
    HOLDS(whole.deepest <= depth_max);
    compare(
        data, size, fuzz_choice(data, size, 2) % (size + 1), size + 1, depth_max, result, &whole,
        &error);
    if (size <= 4096)
        compare(
            data, size, 0, fuzz_choice(data, size, 3) % 7 + 1, depth_max, result, &whole, &error);
    if (result == 0)
        compare_with_cjson(data, size, &whole);
    return 0;
}
