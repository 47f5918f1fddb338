/* SPDX-License-Identifier: MIT */
#include "header.h"

#include <string.h>

#include "callbackd/json_scan.h"

enum {
    PAIR_DEPTH = 2, /* strings inside of the pairs inside of the array */
    HEADERS_DEPTH_MAX = 8,
};

struct header_scan {
    struct bytes json;
    const char *name;
    header_test *test;
    void *context;
    struct buffer text; /* the string at hand, decoded */
    int index;          /* of the next string in its pair: 0 name, 1 value */
    bool named;         /* the pair at hand has the name looked for */
    bool found;
    bool starved;
};

static void take_string(struct header_scan *scan, size_t start, size_t end)
{
    buffer_clear(&scan->text);
    if (json_decode_string(bytes_of(scan->json.data + start, end - start), &scan->text) != 0) {
        scan->starved = scan->starved || scan->text.starved;
        return;
    }
    struct bytes text = buffer_bytes(&scan->text);
    if (scan->index == 0)
        scan->named = text.length == strlen(scan->name) &&
                      strcasecmp(buffer_text(&scan->text), scan->name) == 0;
    else if (scan->index == 1 && scan->named)
        scan->found = scan->test(scan->context, text);
}

static int on_event(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    (void)error;
    struct header_scan *scan = context;
    if (event == JSON_ARRAY_BEGIN && depth == PAIR_DEPTH - 1) {
        scan->index = 0;
        scan->named = false;
    } else if (event == JSON_STRING && depth == PAIR_DEPTH) {
        take_string(scan, start, end);
        scan->index++;
    }
    return scan->found ? 1 : 0;
}

bool header_find(
    struct bytes headers_json, const char *name, header_test *test, void *context,
    bool *starved_out)
{
    struct header_scan scan = {
        .json = headers_json, .name = name, .test = test, .context = context};
    buffer_init(&scan.text, headers_json.length + 1);
    struct error ignored;
    json_scan_text(headers_json, HEADERS_DEPTH_MAX, on_event, &scan, &ignored);
    buffer_fini(&scan.text);
    *starved_out = scan.starved;
    return scan.found;
}
