/* SPDX-License-Identifier: MIT */
/* "when": an object whose members must all hold, with objects of the same kind inside it. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "config_private.h"

#include <pcre2.h>

#include "callbackd/json_scan.h"
#include "callbackd/text.h"

typedef void read_condition(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition);

static void read_all_members(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition);

void config_condition_fini(struct config_condition *condition)
{
    for (size_t i = 0; i < condition->child_count; i++)
        config_condition_fini(&condition->children[i]);
    free(condition->children);
    free(condition->source);
    free(condition->text);
    *condition = (struct config_condition){0};
}

static bool make_children(
    struct config_reader *reader, struct config_condition *condition, size_t count)
{
    condition->children = count > 0 ? calloc(count, sizeof *condition->children) : NULL;
    if (count > 0 && !config_have(reader, condition->children))
        return false;
    condition->child_count = count;
    return true;
}

static void keep_text(
    struct config_reader *reader, const struct config_place *place, char **text_out)
{
    const char *text = config_text_at(reader, place);
    if (!text)
        return;
    *text_out = text_copy(text);
    config_have(reader, *text_out);
}

/* ---- texts ---- */

static void read_endpoint(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition)
{
    keep_text(reader, place, &condition->text);
    config_check_endpoint(reader, place, condition->text);
}

/* The end of a set, as text_glob_match reads it; NULL when it is never closed. */
static const char *set_end(const char *c)
{
    if (*c == '!' || *c == '^')
        c++;
    for (bool first = true; first || *c != ']'; first = false) {
        if (*c == '\\' && c[1] != '\0')
            c++;
        if (*c == '\0')
            return NULL;
        c++;
    }
    return c;
}

/* An open set and a last backslash stand for themselves, and are hardly what was meant. */
static bool is_glob(const char *glob)
{
    for (; *glob; glob++) {
        if (*glob == '\\') {
            if (*++glob == '\0')
                return false;
        } else if (*glob == '[') {
            glob = set_end(glob + 1);
            if (!glob)
                return false;
        }
    }
    return true;
}

static void read_glob(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition)
{
    keep_text(reader, place, &condition->text);
    if (condition->text && !is_glob(condition->text))
        config_problem(
            reader, place, "\"%s\" is not a glob (close its [ with ], and write \\\\ for a \\)",
            condition->text);
}

static void read_regex(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition)
{
    keep_text(reader, place, &condition->text);
    if (!condition->text)
        return;
    int code;
    PCRE2_SIZE offset;
    pcre2_code *regex = pcre2_compile(
        (PCRE2_SPTR)condition->text, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &offset, NULL);
    if (regex) {
        pcre2_code_free(regex);
        return;
    }
    PCRE2_UCHAR message[256] = "";
    pcre2_get_error_message(code, message, sizeof message);
    config_problem(
        reader, place, "\"%s\" is not a regular expression: %s at byte %zu (correct it)",
        condition->text, (const char *)message, (size_t)offset);
}

/* A text as it is, any other single value in its JSON spelling. */
static void read_equals(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition)
{
    enum json_type type = json_type_of(place->value);
    if (type == JSON_TYPE_ARRAY || type == JSON_TYPE_OBJECT) {
        config_problem(
            reader, place, "is %s (compare with a text, a number, true, false or null)",
            json_type_name(type));
        return;
    }
    struct bytes source = json_source(reader->document, place->value);
    condition->text = type == JSON_TYPE_STRING ? text_copy(json_get_text(place->value))
                                               : strndup((const char *)source.data, source.length);
    config_have(reader, condition->text);
}

static void read_exists(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition)
{
    bool exists;
    if (!config_is_type(reader, place, JSON_TYPE_BOOL) || !json_get_bool(place->value, &exists))
        return;
    condition->text = text_copy(exists ? "true" : "false");
    config_have(reader, condition->text);
}

/* ---- status ---- */

static void add_status(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition)
{
    enum result_status status;
    const char *text = config_text_at(reader, place);
    if (!text)
        return;
    if (result_status_parse(text, &status)) {
        condition->statuses |= 1U << status;
        return;
    }
    struct buffer names;
    buffer_init(&names, 256);
    for (int i = 0; i < STATUS_COUNT; i++)
        buffer_appendf(
            &names, "%s%s", i > 0 ? ", " : "", result_status_name((enum result_status)i));
    config_problem(
        reader, place, "\"%s\" is not a status (choose from %s)", text, buffer_text(&names));
    buffer_fini(&names);
}

static void read_statuses(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition)
{
    if (json_get_text(place->value)) {
        add_status(reader, place, condition);
        return;
    }
    if (!config_is_type(reader, place, JSON_TYPE_ARRAY))
        return;
    if (json_count(place->value) == 0)
        config_problem(reader, place, "is empty, so it never holds (name a status, or remove it)");
    size_t index = 0;
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const struct config_place element = config_element(place, index++, value);
        add_status(reader, &element, condition);
    }
}

/* ---- match ---- */

static const struct {
    const char *name;
    enum condition_operator operator;
    read_condition *read;
} operators[] = {
    {"equals", OPERATOR_EQUALS, read_equals},
    {"glob", OPERATOR_GLOB, read_glob},
    {"regex", OPERATOR_REGEX, read_regex},
    {"exists", OPERATOR_EXISTS, read_exists},
};

static void read_source(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition)
{
    const struct config_place pointer = config_member(place, "pointer");
    const struct config_place header = config_member(place, "header");
    if (!pointer.value == !header.value) {
        config_problem(
            reader, place,
            "needs either a \"pointer\" into the body or a \"header\" (give it one)");
        return;
    }
    condition->type = pointer.value ? CONDITION_POINTER : CONDITION_HEADER;
    const struct config_place *given = pointer.value ? &pointer : &header;
    if (condition->type == CONDITION_HEADER) {
        keep_text(reader, given, &condition->source);
        return;
    }
    if (!config_is_type(reader, given, JSON_TYPE_STRING))
        return;
    /* An empty pointer is a pointer: the whole body. */
    condition->source = text_copy(json_get_text(given->value));
    if (config_have(reader, condition->source) && !json_pointer_is_valid(condition->source))
        config_problem(
            reader, given, "\"%s\" is not a JSON pointer (write it like \"/final_output/x\")",
            condition->source);
}

static void read_match(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition)
{
    if (!config_is_type(reader, place, JSON_TYPE_OBJECT))
        return;
    config_refuse_unknown(reader, config_key_find("hooks[].when.match"), place);
    read_source(reader, place, condition);
    int found = 0;
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        const struct config_place member = config_member(place, operators[i].name);
        if (!member.value || found++ > 0)
            continue;
        condition->operator= operators[i].operator;
        operators[i].read(reader, &member, condition);
    }
    if (found != 1)
        config_problem(
            reader, place,
            "has %s of \"equals\", \"glob\", \"regex\" and \"exists\" (give it one of them)",
            found == 0 ? "none" : "more than one");
}

/* ---- lists and nesting ---- */

static void read_children(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition, read_condition *read)
{
    if (!config_is_type(reader, place, JSON_TYPE_ARRAY))
        return;
    if (json_count(place->value) == 0)
        config_problem(reader, place, "is empty (put conditions into it, or remove it)");
    if (!make_children(reader, condition, json_count(place->value)))
        return;
    size_t index = 0;
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const struct config_place element = config_element(place, index, value);
        read(reader, &element, &condition->children[index++]);
    }
}

static void read_matches(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition)
{
    read_children(reader, place, condition, read_match);
}

static void read_conditions(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition)
{
    read_children(reader, place, condition, read_all_members);
}

static void read_not(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition)
{
    if (make_children(reader, condition, 1))
        read_all_members(reader, place, &condition->children[0]);
}

static const struct {
    const char *name;
    enum condition_type type;
    read_condition *read;
} members[] = {
    {"status", CONDITION_STATUS, read_statuses},     {"workflow", CONDITION_WORKFLOW, read_glob},
    {"endpoint", CONDITION_ENDPOINT, read_endpoint}, {"event", CONDITION_EVENT, read_glob},
    {"match", CONDITION_ALL, read_matches},          {"all", CONDITION_ALL, read_conditions},
    {"any", CONDITION_ANY, read_conditions},         {"not", CONDITION_NOT, read_not},
};
enum { MEMBER_COUNT = sizeof members / sizeof members[0] };

static void read_all_members(
    struct config_reader *reader, const struct config_place *place,
    struct config_condition *condition)
{
    condition->type = CONDITION_ALL;
    if (!config_is_type(reader, place, JSON_TYPE_OBJECT))
        return;
    config_refuse_unknown(reader, config_key_find("hooks[].when"), place);
    if (!make_children(reader, condition, MEMBER_COUNT))
        return;
    size_t used = 0;
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        const struct config_place member = config_member(place, members[i].name);
        if (!member.value)
            continue;
        condition->children[used].type = members[i].type;
        members[i].read(reader, &member, &condition->children[used++]);
    }
    condition->child_count = used;
}

static bool mentions_status(const struct config_condition *condition)
{
    if (condition->type == CONDITION_STATUS)
        return true;
    for (size_t i = 0; i < condition->child_count; i++)
        if (mentions_status(&condition->children[i]))
            return true;
    return false;
}

void config_read_when(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    void *base)
{
    struct config_hook *hook = base;
    (void)key;
    read_all_members(reader, place, &hook->when);
    hook->takes_status = mentions_status(&hook->when);
}
