/* SPDX-License-Identifier: MIT */
/* "stripe": Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>…] of HMAC-SHA256 over
 * "<t>.<body>". The event's id stands in the body. */
#include "scheme_keys.h"

#include "callbackd/json_scan.h"
#include "json_id.h"

struct stripe_header {
    struct bytes time; /* empty: none yet */
    struct signature signatures[SIGNATURES_MAX];
    size_t count;
};

static int take_element(struct stripe_header *header, struct bytes element, struct error *error)
{
    if (element.length >= 2 && memcmp(element.data, "t=", 2) == 0) {
        if (header->time.length > 0)
            return error_set(error, ERROR_UNAUTHORIZED, "Stripe-Signature has two times");
        header->time = bytes_of(element.data + 2, element.length - 2);
    } else if (element.length >= 3 && memcmp(element.data, "v1=", 3) == 0) {
        struct bytes hex = bytes_of(element.data + 3, element.length - 3);
        if (header->count == SIGNATURES_MAX)
            return error_set(error, ERROR_UNAUTHORIZED, "Stripe-Signature has too many v1");
        if (!signing_decode(hex, ENCODING_HEX, 32, &header->signatures[header->count]))
            return error_set(error, ERROR_UNAUTHORIZED, "a v1 is not 32 bytes in hex");
        header->count++;
    }
    return 0; /* other versions are not ours to judge */
}

static int parse(
    const struct verify_request *request, struct stripe_header *header_out, struct error *error)
{
    const char *at = signing_header(request, "Stripe-Signature", error);
    *header_out = (struct stripe_header){.count = 0};
    if (!at)
        return -1;
    for (;;) {
        size_t length = strcspn(at, ",");
        if (take_element(header_out, bytes_of(at, length), error) != 0)
            return -1;
        if (at[length] == '\0')
            break;
        at += length + 1;
    }
    if (header_out->time.length == 0 || header_out->count == 0)
        return error_set(error, ERROR_UNAUTHORIZED, "Stripe-Signature is not t=…,v1=…");
    return 0;
}

int scheme_stripe_check_head(
    const void *opaque, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    (void)outcome;
    const struct scheme_keys *state = opaque;
    struct stripe_header header;
    if (parse(request, &header, error) != 0)
        return -1;
    return signing_check_time(header.time, request->now_ms, state->options->tolerance_ms, error);
}

int scheme_stripe_check_body(
    const void *opaque, const struct verify_request *request, struct bytes body,
    struct verify_outcome *outcome, struct error *error)
{
    const struct scheme_keys *state = opaque;
    struct stripe_header header;
    if (parse(request, &header, error) != 0)
        return -1;
    const struct bytes parts[] = {header.time, bytes_of_text("."), body};
    if (hmac_keys_check(state->keys, parts, 3, header.signatures, header.count, error) != 0)
        return -1;
    json_id_keep(body, "/id", outcome);
    return 0;
}
