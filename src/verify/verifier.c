/* SPDX-License-Identifier: MIT */
/* All schemes of one endpoint, checked one after the other: every one must hold. */
#include "callbackd/verify.h"

#include <strings.h>

#include "callbackd/buffer.h"
#include "schemes.h"

struct check {
    const struct scheme *scheme;
    const char *secret_header; /* NULL: none */
    void *state;
};

struct verifier {
    struct check *checks;
    size_t count;
    bool uses_path;
    char verified_by[VERIFY_TEXT_MAX + 1];
};

/* "github+ip-allow"; "none" for an endpoint that believes everything. */
static int name_schemes(const struct config_endpoint *endpoint, char *out, size_t out_bytes)
{
    struct buffer names;
    buffer_init(&names, out_bytes - 1);
    for (size_t i = 0; i < endpoint->verify_count; i++) {
        if (i > 0)
            buffer_append_char(&names, '+');
        buffer_append_text(&names, endpoint->verify[i].scheme);
    }
    if (endpoint->verify_count == 0)
        buffer_append_text(&names, "none");
    bool failed = buffer_failed(&names);
    if (!failed)
        memcpy(out, buffer_text(&names), names.length + 1);
    buffer_fini(&names);
    return failed ? -1 : 0;
}

static int open_check(
    const struct scheme_setup *setup, struct verifier *verifier, struct error *error)
{
    const struct scheme *scheme = scheme_find(setup->options->scheme);
    if (!scheme)
        return error_set(error, ERROR_CONFIG, "there is no scheme \"%s\"", setup->options->scheme);
    struct check *check = &verifier->checks[verifier->count];
    if (scheme->open && scheme->open(setup, &check->state, error) != 0)
        return error_prefix(error, "%s", scheme->name);
    check->scheme = scheme;
    check->secret_header = scheme->header_is_secret ? setup->options->header : NULL;
    verifier->count++;
    verifier->uses_path |= scheme->uses_path;
    return 0;
}

struct verifier *verifier_new(
    const struct config *config, const struct config_endpoint *endpoint, struct error *error)
{
    struct verifier *verifier = calloc(1, sizeof *verifier);
    struct check *checks = calloc(endpoint->verify_count + 1, sizeof *checks);
    if (!verifier || !checks ||
        name_schemes(endpoint, verifier->verified_by, sizeof verifier->verified_by) != 0) {
        error_set(error, ERROR_MEMORY, "memory is short for the schemes of %s", endpoint->name);
        free(verifier);
        free(checks);
        return NULL;
    }
    verifier->checks = checks;
    for (size_t i = 0; i < endpoint->verify_count; i++) {
        const struct scheme_setup setup = {config, endpoint, &endpoint->verify[i]};
        if (open_check(&setup, verifier, error) != 0) {
            error_prefix(error, "endpoint %s", endpoint->name);
            verifier_free(verifier);
            return NULL;
        }
    }
    return verifier;
}

void verifier_free(struct verifier *verifier)
{
    if (!verifier)
        return;
    for (size_t i = 0; i < verifier->count; i++)
        if (verifier->checks[i].scheme && verifier->checks[i].scheme->close)
            verifier->checks[i].scheme->close(verifier->checks[i].state);
    free(verifier->checks);
    free(verifier);
}

bool verifier_uses_path(const struct verifier *verifier)
{
    return verifier->uses_path;
}

bool verifier_hides_header(const struct verifier *verifier, const char *name)
{
    for (size_t i = 0; i < verifier->count; i++) {
        const char *secret = verifier->checks[i].secret_header;
        if (secret && strcasecmp(secret, name) == 0)
            return true;
    }
    return false;
}

int verifier_check_head(
    const struct verifier *verifier, const struct verify_request *request,
    struct verify_outcome *outcome, struct error *error)
{
    struct verify_outcome found = {0};
    for (size_t i = 0; i < verifier->count; i++) {
        const struct check *check = &verifier->checks[i];
        if (!check->scheme->check_head)
            continue;
        if (check->scheme->check_head(check->state, request, &found, error) != 0)
            return error_prefix(error, "%s", check->scheme->name);
    }
    memcpy(found.verified_by, verifier->verified_by, sizeof found.verified_by);
    *outcome = found;
    return 0;
}

/* "github+promptlayer:python": the name with the form that fitted, cut where it is too long. */
static void name_variant(const struct check *check, const char *variant, struct buffer *names)
{
    if (names->length > 0)
        buffer_append_char(names, '+');
    buffer_append_text(names, check->scheme->name);
    if (variant) {
        buffer_append_char(names, ':');
        buffer_append_text(names, variant);
    }
}

int verifier_check_body(
    const struct verifier *verifier, const struct verify_request *request, struct bytes body,
    struct verify_outcome *outcome, struct error *error)
{
    struct buffer names;
    bool has_variant = false;
    int result = 0;
    buffer_init(&names, VERIFY_TEXT_MAX);
    for (size_t i = 0; result == 0 && i < verifier->count; i++) {
        const struct check *check = &verifier->checks[i];
        outcome->variant = NULL;
        if (check->scheme->check_body &&
            check->scheme->check_body(check->state, request, body, outcome, error) != 0)
            result = error_prefix(error, "%s", check->scheme->name);
        has_variant = has_variant || outcome->variant;
        name_variant(check, outcome->variant, &names);
    }
    if (result == 0 && has_variant && !buffer_failed(&names))
        memcpy(outcome->verified_by, buffer_text(&names), names.length + 1);
    buffer_fini(&names);
    return result;
}

bool verifier_explain(
    const struct verifier *verifier, const struct verify_request *request, struct bytes body,
    struct verify_outcome *outcome_out,
    void (*visit)(void *context, const struct verify_verdict *verdict), void *context)
{
    struct verify_outcome found = {0};
    bool all_hold = true;
    for (size_t i = 0; i < verifier->count; i++) {
        const struct check *check = &verifier->checks[i];
        const struct scheme *scheme = check->scheme;
        struct error error = {0};
        found.variant = NULL;
        bool holds = (!scheme->check_head ||
                      scheme->check_head(check->state, request, &found, &error) == 0) &&
                     (!scheme->check_body ||
                      scheme->check_body(check->state, request, body, &found, &error) == 0);
        const struct verify_verdict verdict = {
            .scheme = scheme->name,
            .holds = holds,
            .variant = holds ? found.variant : NULL,
            .reason = holds ? NULL : error.message,
        };
        all_hold = all_hold && holds;
        visit(context, &verdict);
    }
    *outcome_out = found;
    return all_hold;
}
