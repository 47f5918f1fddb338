/* SPDX-License-Identifier: MIT */
/*
 * application/x-www-form-urlencoded, strictly: every escape is "%" and two hex digits, every name
 * and value is UTF-8 once decoded, none has a NUL, and no control byte stands there unescaped.
 * Of fields with the same name the last counts.
 */
#include "body_private.h"

#include "callbackd/text.h"
#include "utf8.h"

static int wrong(const struct body_form *form, struct error *error, const char *what)
{
    return error_set(error, ERROR_INVALID, "byte %zu: %s", form->position, what);
}

static int decoded_byte(struct body_form *form, unsigned char c, struct error *error)
{
    if (form->utf8_pending > 0) {
        if (c < form->utf8_low || c > form->utf8_high)
            return wrong(form, error, "not UTF-8");
        form->utf8_low = UTF8_LOW;
        form->utf8_high = UTF8_HIGH;
        form->utf8_pending--;
    } else if (c == 0) {
        return wrong(form, error, "a NUL");
    } else if (c >= 0x80) {
        form->utf8_pending = (unsigned char)utf8_lead(c, &form->utf8_low, &form->utf8_high);
        if (form->utf8_pending == 0)
            return wrong(form, error, "not UTF-8");
    }
    return 0;
}

static int escape_digit(struct body_form *form, unsigned char c, struct error *error)
{
    unsigned char lower = c | 0x20;
    if (c >= '0' && c <= '9')
        form->escape = (unsigned char)(form->escape << 4 | (c - '0'));
    else if (lower >= 'a' && lower <= 'f')
        form->escape = (unsigned char)(form->escape << 4 | (lower - 'a' + 10));
    else
        return wrong(form, error, "'%' without two hex digits");
    return --form->escape_digits == 0 ? decoded_byte(form, form->escape, error) : 0;
}

/* A name or a value ends here: nothing may be half done. */
static int end_part(const struct body_form *form, struct error *error)
{
    if (form->escape_digits > 0)
        return wrong(form, error, "'%' without two hex digits");
    return form->utf8_pending > 0 ? wrong(form, error, "not UTF-8") : 0;
}

static unsigned hex_value(unsigned char c)
{
    return c <= '9' ? (unsigned)c - '0' : (c | 0x20U) - 'a' + 10U;
}

/* `encoded` is a name that was checked. */
static bool decodes_to(struct bytes encoded, const char *text)
{
    for (size_t i = 0; i < encoded.length; i++, text++) {
        unsigned char c = encoded.data[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            c = (unsigned char)(hex_value(encoded.data[i + 1]) << 4 | hex_value(encoded.data[i + 2]));
            i += 2;
        }
        if (c != (unsigned char)*text)
            return false;
    }
    return *text == '\0';
}

static void end_field(struct body_reader *reader)
{
    struct body_form *form = &reader->as.form;
    const struct body_rules *rules = reader->rules;
    if (!form->in_value)
        form->name_end = form->value_start = form->position;
    struct bytes name =
        bytes_of(reader->body.data + form->name_start, form->name_end - form->name_start);
    struct body_span span = {
        .present = true, .kind = JSON_STRING, .start = form->value_start, .end = form->position};
    if (rules->id_pointer && decodes_to(name, rules->id_pointer))
        form->id = span;
    if (rules->status_pointer && decodes_to(name, rules->status_pointer))
        form->status = span;
    form->name_start = form->position + 1;
    form->in_value = false;
}

static int form_byte(struct body_reader *reader, unsigned char c, struct error *error)
{
    struct body_form *form = &reader->as.form;
    if (form->escape_digits > 0)
        return escape_digit(form, c, error);
    if (c == '&' || (c == '=' && !form->in_value)) {
        if (end_part(form, error) != 0)
            return -1;
        if (c == '&') {
            end_field(reader);
        } else {
            form->name_end = form->position;
            form->value_start = form->position + 1;
            form->in_value = true;
        }
        return 0;
    }
    if (c == '%') {
        form->escape_digits = 2;
        form->escape = 0;
        return 0;
    }
    if (c < 0x20 || c == 0x7F)
        return wrong(form, error, "a control character");
    return decoded_byte(form, c == '+' ? ' ' : c, error);
}

int body_form_feed(struct body_reader *reader, struct error *error)
{
    struct body_form *form = &reader->as.form;
    if (form->failed)
        return wrong(form, error, "the form was refused there");
    for (; form->position < reader->body.length; form->position++) {
        if (form_byte(reader, reader->body.data[form->position], error) != 0) {
            form->failed = true;
            return -1;
        }
    }
    return 0;
}

/* The decoded value of a field, when it is not longer than an identifier may be. */
static int read_value(
    const struct body_span *span, struct bytes body, const char *name, bool *has_out,
    char out[BODY_TEXT_MAX + 1], struct error *error)
{
    *has_out = false;
    if (!span->present)
        return 0;
    struct buffer value;
    /* One byte more than fits, so that what is too long shows. */
    buffer_init(&value, BODY_TEXT_MAX + 1);
    struct bytes encoded = body_span_view(span, body);
    int result;
    if (!text_percent_decode(encoded, true, &value))
        result = error_set(error, ERROR_INVALID, "%s is longer than %d bytes", name, BODY_TEXT_MAX);
    else
        result = body_identifier(buffer_bytes(&value), name, has_out, out, error);
    buffer_fini(&value);
    return result;
}

int body_form_finish(struct body_reader *reader, struct body_summary *summary, struct error *error)
{
    struct body_form *form = &reader->as.form;
    if (end_part(form, error) != 0)
        return -1;
    end_field(reader);
    char word[BODY_TEXT_MAX + 1];
    bool has_word;
    /* A status that long is a status that we do not know, not a mistake. */
    if (read_value(&form->status, reader->body, "the status", &has_word, word, NULL) == 0 &&
        has_word)
        summary->status = body_status_of_word(bytes_of_text(word));
    return read_value(&form->id, reader->body, "the id", &summary->has_id, summary->id, error);
}
