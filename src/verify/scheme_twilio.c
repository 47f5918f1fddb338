/* SPDX-License-Identifier: MIT */
/*
 * "twilio": X-Twilio-Signature: base64 of HMAC-SHA1 over the URL as Twilio knows it and, of a
 * form, its fields: sorted by name, each once, name and value without anything between. Of any
 * other body its SHA-256 stands in the URL as bodySHA256.
 */
#include "scheme_keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum { FIELDS_MAX = 1024, URL_MAX = 16384 };

int scheme_twilio_check_head(
    const void *state, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    (void)state;
    if (!signing_header(request, "X-Twilio-Signature", error))
        return -1;
    return signing_take_id(request, "I-Twilio-Idempotency-Token", outcome, error);
}

/* ---- the URL ---- */

/* "https://host:443/in": where the host begins and where its port does, if it has one. */
static void split_url(const char *url, size_t *port_out, size_t *host_end_out)
{
    const char *scheme_end = strstr(url, "://");
    const char *host = scheme_end ? scheme_end + 3 : url;
    const char *end = host + strcspn(host, "/");
    const char *from = *host == '[' ? memchr(host, ']', (size_t)(end - host)) : host;
    const char *colon = from ? memchr(from, ':', (size_t)(end - from)) : NULL;
    *host_end_out = (size_t)(end - url);
    *port_out = colon ? (size_t)(colon - url) : *host_end_out;
}

/* Twilio is not of one mind about the port: as it stands in public_url, or the other way. */
static int append_url(
    const struct scheme_keys *state, const struct verify_request *request, bool other_port,
    struct buffer *out)
{
    const char *url = state->public_url;
    size_t port;
    size_t host_end;
    split_url(url, &port, &host_end);
    buffer_append(out, url, other_port ? port : host_end);
    if (other_port && port == host_end)
        buffer_append_text(out, strncmp(url, "https:", 6) == 0 ? ":443" : ":80");
    buffer_append_text(out, url + host_end);
    buffer_append_text(out, request->path ? request->path : "");
    if (request->query && *request->query != '\0') {
        buffer_append_char(out, '?');
        buffer_append_text(out, request->query);
    }
    return buffer_failed(out) ? -1 : 0;
}

/* ---- the body ---- */

struct field {
    struct bytes name;
    struct bytes value;
};

/* Views into `decoded`, which does not grow any more. */
struct fields {
    struct buffer decoded;
    struct field *items;
    size_t count;
};

static int compare_bytes(struct bytes a, struct bytes b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_fields(const void *left, const void *right)
{
    const struct field *a = left;
    const struct field *b = right;
    int order = compare_bytes(a->name, b->name);
    return order != 0 ? order : compare_bytes(a->value, b->value);
}

/* Decodes one part of the form; the memory was reserved. */
static bool take_part(struct fields *fields, struct bytes encoded, struct bytes *out)
{
    size_t start = fields->decoded.length;
    if (!text_percent_decode(encoded, true, &fields->decoded))
        return false;
    *out = bytes_of(fields->decoded.data + start, fields->decoded.length - start);
    return true;
}

static bool take_field(struct fields *fields, struct bytes pair)
{
    const unsigned char *equals = pair.length > 0 ? memchr(pair.data, '=', pair.length) : NULL;
    size_t name = equals ? (size_t)(equals - pair.data) : pair.length;
    size_t skip = equals ? name + 1 : name;
    struct field *field = &fields->items[fields->count];
    if (pair.length == 0)
        return true;
    if (fields->count == FIELDS_MAX ||
        !take_part(fields, bytes_of(pair.data, name), &field->name) ||
        !take_part(fields, bytes_of(pair.data + skip, pair.length - skip), &field->value))
        return false;
    fields->count++;
    return true;
}

static void fields_fini(struct fields *fields)
{
    buffer_fini(&fields->decoded);
    free(fields->items);
}

static int fields_read(struct bytes body, struct fields *fields, struct error *error)
{
    *fields = (struct fields){.count = 0};
    buffer_init(&fields->decoded, body.length + 1);
    fields->items = calloc(FIELDS_MAX + 1, sizeof *fields->items);
    if (!fields->items || buffer_reserve(&fields->decoded, body.length + 1) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for a form");
    for (size_t at = 0; at < body.length;) {
        const unsigned char *start = body.data + at;
        const unsigned char *ampersand = memchr(start, '&', body.length - at);
        size_t length = ampersand ? (size_t)(ampersand - start) : body.length - at;
        if (!take_field(fields, bytes_of(start, length)))
            return error_set(
                error, ERROR_UNAUTHORIZED, "the body is no form of at most %d fields", FIELDS_MAX);
        at += length + 1;
    }
    qsort(fields->items, fields->count, sizeof *fields->items, compare_fields);
    return 0;
}

static void append_fields(const struct fields *fields, struct buffer *out)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (i > 0 && compare_fields(&fields->items[i - 1], &fields->items[i]) == 0)
            continue;
        buffer_append_bytes(out, fields->items[i].name);
        buffer_append_bytes(out, fields->items[i].value);
    }
}

/* The value of bodySHA256 in the query; false: there is none. */
static bool find_digest(const char *query, struct bytes *out)
{
    static const char name[] = "bodySHA256=";
    for (const char *at = query ? query : ""; *at; at += *at == '&') {
        size_t length = strcspn(at, "&");
        if (strncmp(at, name, strlen(name)) == 0) {
            *out = bytes_of(at + strlen(name), length - strlen(name));
            return true;
        }
        at += length;
    }
    return false;
}

static int check_digest(struct bytes hex, struct bytes body, struct error *error)
{
    static const unsigned char nothing = 0;
    struct signature claimed;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(body.length > 0 ? body.data : &nothing, body.length, digest);
    if (!signing_decode(hex, ENCODING_HEX, sizeof digest, &claimed) ||
        CRYPTO_memcmp(digest, claimed.data, sizeof digest) != 0)
        return error_set(error, ERROR_UNAUTHORIZED, "bodySHA256 is not that of the body");
    return 0;
}

/* ---- both ---- */

static int check_signature(
    const struct scheme_keys *state, const struct verify_request *request, struct bytes fields,
    const struct signature *signature, struct error *error)
{
    int result = -1;
    for (int other_port = 0; result != 0 && other_port <= 1; other_port++) {
        CLEANUP_BUFFER struct buffer url;
        buffer_init(&url, URL_MAX + strlen(state->public_url));
        if (append_url(state, request, other_port, &url) != 0)
            return error_set(error, ERROR_UNAUTHORIZED, "the URL is too long");
        const struct bytes parts[] = {buffer_bytes(&url), fields};
        result = hmac_keys_check(state->keys, parts, 2, signature, 1, error);
    }
    return result;
}

static int check_form(
    const struct scheme_keys *state, const struct verify_request *request, struct bytes body,
    const struct signature *signature, struct error *error)
{
    struct fields fields;
    struct buffer text;
    buffer_init(&text, body.length + 1);
    int result = fields_read(body, &fields, error);
    if (result == 0) {
        append_fields(&fields, &text);
        result = buffer_failed(&text)
                     ? error_set(error, ERROR_MEMORY, "no memory for a form")
                     : check_signature(state, request, buffer_bytes(&text), signature, error);
    }
    buffer_fini(&text);
    fields_fini(&fields);
    return result;
}

int scheme_twilio_check_body(
    const void *opaque, const struct verify_request *request, struct bytes body,
    struct verify_outcome *outcome, struct error *error)
{
    (void)outcome;
    const struct scheme_keys *state = opaque;
    const char *value = signing_header(request, "X-Twilio-Signature", error);
    struct signature signature;
    struct bytes digest;
    if (!value)
        return -1;
    if (!signing_decode(
            bytes_of_text(value), ENCODING_BASE64, hmac_keys_size(state->keys), &signature))
        return error_set(error, ERROR_UNAUTHORIZED, "the signature is not 20 bytes in base64");
    if (!find_digest(request->query, &digest))
        return check_form(state, request, body, &signature, error);
    if (check_digest(digest, body, error) != 0)
        return -1;
    return check_signature(state, request, bytes_of(NULL, 0), &signature, error);
}
