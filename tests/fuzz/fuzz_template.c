/* SPDX-License-Identifier: MIT */
/*
 * Input: a template, a NUL, a body. Whatever they are, a command of two templates becomes two
 * arguments, or is refused; what is checked as a template can be expanded; and the value of a
 * lone pointer is what the look-up gives, as one argument.
 */
#include "fuzz.h"

#include "callbackd/hooks.h"
#include "callbackd/json_scan.h"
#include "template.h"
#include "value.h"

enum { DEPTH_MAX = 128 };

static void check_pointer(const struct hook_values *values, const char *template, const char *got)
{
    size_t length = strlen(template);
    if (length < 3 || template[0] != '{' || template[1] != '/' ||
        strchr(template, '}') != template + length - 1)
        return;
    struct buffer pointer;
    struct buffer value;
    buffer_init(&pointer, length);
    buffer_init(&value, values->body.length + 1);
    HOLDS(buffer_append(&pointer, template + 1, length - 2) == 0);
    value_find(values->result->kind, values->body, buffer_text(&pointer), &value);
    HOLDS(bytes_equal_text(buffer_bytes(&value), got));
    buffer_fini(&pointer);
    buffer_fini(&value);
}

static void check(char *template, struct bytes body, enum body_kind kind)
{
    char program[] = "/bin/true";
    char *command[] = {program, template, NULL};
    struct config_hook hook = {.name = "fuzz", .command = command};
    struct result_record result = {.endpoint = "results", .kind = kind, .workflow = "w"};
    struct hook_values values = {
        .hook = &hook, .result = &result, .job_id = "job", .attempt = 1, .body = body};
    struct error error = {0};
    char **arguments = NULL;
    bool is_template = template_check(template, &error) == 0;
    if (hook_arguments(&values, &arguments, &error) != 0) {
        HOLDS(error.code == ERROR_INVALID);
        return;
    }
    HOLDS(is_template);
    HOLDS(arguments[0] && arguments[1] && !arguments[2]);
    HOLDS(strcmp(arguments[0], program) == 0);
    HOLDS(strlen(arguments[1]) < 128 * 1024);
    check_pointer(&values, template, arguments[1]);
    hook_strings_free(arguments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = memchr(data, 0, size);
    if (!nul)
        return 0;
    size_t template_bytes = (size_t)(nul + 1 - data);
    uint8_t *template = fuzz_copy(data, template_bytes);
    uint8_t *body = fuzz_copy(nul + 1, size - template_bytes);
    struct bytes text = bytes_of(body, size - template_bytes);
    /* The look-up takes only what was scanned; anything may be a form. */
    if (json_scan_text(text, DEPTH_MAX, NULL, NULL, NULL) == 0)
        check((char *)template, text, BODY_JSON);
    check((char *)template, text, BODY_FORM);
    free(template);
    free(body);
    return 0;
}
