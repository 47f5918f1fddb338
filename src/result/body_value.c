/* SPDX-License-Identifier: MIT */
#include "body_private.h"

#include "callbackd/text.h"
#include "json_string.h"

void body_span_note(struct body_span *span, enum json_event event, size_t start, size_t end)
{
    if (event != JSON_OBJECT_END && event != JSON_ARRAY_END) {
        span->present = true;
        span->kind = event;
        span->start = start;
    }
    span->end = end;
}

struct bytes body_span_view(const struct body_span *span, struct bytes body)
{
    return bytes_of(body.data + span->start, span->end - span->start);
}

bool body_span_is(const struct body_span *span, struct bytes body, const char *text)
{
    return span->present && span->kind == JSON_STRING &&
           json_string_equals(body_span_view(span, body), bytes_of_text(text));
}

/* How much of valid UTF-8 to keep so that at most `max` bytes stay. */
static size_t cut_at_character(struct bytes text, size_t max)
{
    if (text.length <= max)
        return text.length;
    while (max > 0 && (text.data[max] & 0xC0) == 0x80)
        max--;
    return max;
}

/* A string token decoded into fixed storage of `max` bytes and a NUL. */
static struct bytes decode(struct bytes token, char *out, size_t max, bool *cut_out)
{
    struct json_string string;
    json_string_open(&string, token);
    size_t length = 0;
    *cut_out = false;
    while (!*cut_out) {
        struct bytes piece = json_string_next(&string);
        if (piece.length == 0)
            break;
        size_t kept = cut_at_character(piece, max - length);
        memcpy(out + length, piece.data, kept);
        length += kept;
        *cut_out = kept < piece.length;
    }
    out[length] = '\0';
    return bytes_of(out, length);
}

/* The integer that a string spells, by the rules for integers in JSON: "007" is none. */
static bool string_to_int64(struct bytes token, int64_t *value_out)
{
    char text[20 + 1];
    bool cut;
    struct bytes digits = decode(token, text, sizeof text - 1, &cut);
    size_t sign = text[0] == '-';
    bool padded = text[sign] == '0' && digits.length > sign + 1;
    return !cut && !padded && text_parse_int64(digits, value_out);
}

static const char *wrong_id(const struct body_span *span, struct bytes token)
{
    switch (span->kind) {
    case JSON_NUMBER:
        for (size_t i = 0; i < token.length; i++)
            if (token.data[i] == '.' || (token.data[i] | 0x20) == 'e')
                return "a number with a fraction or an exponent";
        return "a number out of that range";
    case JSON_STRING:
        return "a string that is not one";
    case JSON_OBJECT_BEGIN:
        return "an object";
    case JSON_ARRAY_BEGIN:
        return "an array";
    default:
        return "true or false";
    }
}

int body_span_execution_id(
    const struct body_span *span, struct bytes body, const char *name, struct body_summary *summary,
    struct error *error)
{
    struct bytes token = body_span_view(span, body);
    if (!span->present || span->kind == JSON_NULL)
        return 0;
    if (span->kind == JSON_NUMBER && json_number_to_int64(token, &summary->execution_id))
        summary->has_execution_id = true;
    else if (span->kind == JSON_STRING && string_to_int64(token, &summary->execution_id))
        summary->has_execution_id = true;
    else
        return error_set(
            error, ERROR_INVALID, "%s must be an integer of at most 64 bits, and is %s", name,
            wrong_id(span, token));
    return 0;
}

bool body_span_name(const struct body_span *span, struct bytes body, char out[BODY_TEXT_MAX + 1])
{
    if (!span->present || span->kind != JSON_STRING)
        return false;
    char text[BODY_TEXT_MAX + 1];
    bool cut;
    struct bytes name = decode(body_span_view(span, body), text, BODY_TEXT_MAX, &cut);
    if (name.length == 0 || memchr(name.data, 0, name.length))
        return false;
    memcpy(out, text, name.length + 1);
    return true;
}

int body_identifier(
    struct bytes text, const char *name, bool *has_out, char out[BODY_TEXT_MAX + 1],
    struct error *error)
{
    if (text.length > BODY_TEXT_MAX)
        return error_set(error, ERROR_INVALID, "%s is longer than %d bytes", name, BODY_TEXT_MAX);
    if (text.length > 0 && memchr(text.data, 0, text.length))
        return error_set(error, ERROR_INVALID, "%s has a NUL in it", name);
    if (text.length > 0)
        memcpy(out, text.data, text.length);
    out[text.length] = '\0';
    *has_out = text.length > 0;
    return 0;
}

int body_span_identifier(
    const struct body_span *span, struct bytes body, const char *name, bool *has_out,
    char out[BODY_TEXT_MAX + 1], struct error *error)
{
    /* One byte more, so that what is too long shows. */
    char text[BODY_TEXT_MAX + 2];
    bool cut;
    struct bytes decoded = decode(body_span_view(span, body), text, sizeof text - 1, &cut);
    if (cut)
        decoded.length = sizeof text - 1;
    return body_identifier(decoded, name, has_out, out, error);
}

static bool equals_any_case(struct bytes word, const char *lower)
{
    if (word.length != strlen(lower))
        return false;
    for (size_t i = 0; i < word.length; i++) {
        unsigned char c = word.data[i];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != lower[i])
            return false;
    }
    return true;
}

enum result_status body_status_of_word(struct bytes word)
{
    static const struct {
        const char *word;
        enum result_status status;
    } words[] = {
        {"success", STATUS_SUCCESS},   {"succeeded", STATUS_SUCCESS},  {"ok", STATUS_SUCCESS},
        {"completed", STATUS_SUCCESS}, {"failed", STATUS_FAILED},      {"failure", STATUS_FAILED},
        {"error", STATUS_FAILED},      {"running", STATUS_RUNNING},    {"queued", STATUS_RUNNING},
        {"pending", STATUS_RUNNING},   {"processing", STATUS_RUNNING},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (equals_any_case(word, words[i].word))
            return words[i].status;
    return STATUS_RECEIVED;
}

enum result_status body_span_status(const struct body_span *span, struct bytes body)
{
    char word[BODY_TEXT_MAX + 1];
    if (!body_span_name(span, body, word))
        return STATUS_RECEIVED;
    return body_status_of_word(bytes_of_text(word));
}
