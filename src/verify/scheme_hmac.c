/* SPDX-License-Identifier: MIT */
/* "hmac": for senders that have no scheme of their own. Header, algorithm, spelling and signed
 * text are the configuration's. */
#include "scheme_keys.h"

#include "callbackd/text.h"

/* A timestamp above this is in milliseconds: as seconds it would be the year 5138. */
static const int64_t seconds_max = INT64_C(100000000000);

static int check_timestamp(
    const struct config_verify *options, const struct verify_request *request, struct error *error)
{
    const char *text = signing_header(request, options->timestamp_header, error);
    int64_t at;
    if (!text)
        return -1;
    if (text_parse_int64(bytes_of_text(text), &at) && at > seconds_max)
        return signing_check_time_ms(at, request->now_ms, options->tolerance_ms, error);
    return signing_check_time(bytes_of_text(text), request->now_ms, options->tolerance_ms, error);
}

int scheme_hmac_check_head(
    const void *opaque, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    const struct config_verify *options = ((const struct scheme_keys *)opaque)->options;
    if (!signing_header(request, options->header, error))
        return -1;
    if (options->timestamp_header && check_timestamp(options, request, error) != 0)
        return -1;
    return options->id_header ? signing_take_id(request, options->id_header, outcome, error) : 0;
}

struct composing {
    const struct scheme_keys *state;
    const struct verify_request *request;
    struct bytes body;
    struct bytes parts[SIGNING_PARTS_MAX];
    size_t count;
};

static void add(struct composing *composing, struct bytes part)
{
    composing->parts[composing->count++] = part;
}

static void add_target(struct composing *composing)
{
    const char *query = composing->request->query;
    add(composing, bytes_of_text(composing->request->path));
    if (query && *query != '\0') {
        add(composing, bytes_of_text("?"));
        add(composing, bytes_of_text(query));
    }
}

static int add_piece(
    struct composing *composing, enum config_signed piece, struct bytes text, struct error *error)
{
    const struct config_verify *options = composing->state->options;
    const char *value = NULL;
    switch (piece) {
    case SIGNED_TEXT:
        add(composing, text);
        return 0;
    case SIGNED_BODY:
        add(composing, composing->body);
        return 0;
    case SIGNED_TIMESTAMP:
    case SIGNED_ID:
        value = signing_header(
            composing->request, piece == SIGNED_ID ? options->id_header : options->timestamp_header,
            error);
        if (!value)
            return -1;
        add(composing, bytes_of_text(value));
        return 0;
    case SIGNED_URL:
        add(composing, bytes_of_text(composing->state->public_url));
        add_target(composing);
        return 0;
    case SIGNED_PATH:
        add_target(composing);
        return 0;
    default:
        return error_set(error, ERROR_CONFIG, "the signed text is no template");
    }
}

int scheme_hmac_check_body(
    const void *opaque, const struct verify_request *request, struct bytes body,
    struct verify_outcome *outcome, struct error *error)
{
    (void)outcome;
    enum { PIECE_PARTS_MAX = 4 };
    const struct scheme_keys *state = opaque;
    struct composing composing = {.state = state, .request = request, .body = body};
    const char *value = signing_header(request, state->options->header, error);
    const char *template = state->options->signed_text;
    if (!value)
        return -1;
    if (state->options->prefix) {
        size_t length = strlen(state->options->prefix);
        if (strncmp(value, state->options->prefix, length) != 0)
            return error_set(
                error, ERROR_UNAUTHORIZED, "%s does not begin with the prefix",
                state->options->header);
        value += length;
    }
    enum config_signed piece;
    struct bytes text;
    while (config_signed_next(&template, &piece, &text)) {
        if (composing.count > SIGNING_PARTS_MAX - PIECE_PARTS_MAX)
            return error_set(error, ERROR_CONFIG, "the signed text has too many fields");
        if (add_piece(&composing, piece, text, error) != 0)
            return -1;
    }
    return scheme_keys_check(
        state, bytes_of_text(value), state->options->encoding, composing.parts, composing.count,
        error);
}
