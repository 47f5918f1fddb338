/* SPDX-License-Identifier: MIT */
/*
 * The schemes of "verify" as people see them. What they do is in the verify room,
 * whose table has the same names: a test holds the two together.
 */
#include "config_private.h"

#include "callbackd/text.h"

enum { NEEDS_MAX = 2 };

/* A scheme, and what only this room has to know of it. */
static const struct row {
    struct config_scheme scheme;
    /* What must be given: "a" or, of "a|b", at least one. */
    const char *needs[NEEDS_MAX + 1];
    config_check_options *check; /* may be NULL */
} rows[] = {
    {
        .scheme =
            {
                .name = "run-token",
                .summary = "The path's last part is a token that was signed for the run: "
                           "`POST <path>/<token>`. For callback URLs that we made.",
            },
    },
    {
        .scheme =
            {
                .name = "promptlayer",
                .summary =
                    "PromptLayer's workspace webhooks: `X-PromptLayer-Signature`, made over the "
                    "body as Python spells it anew.",
                .options = {"secret_file"},
            },
        .needs = {"secret_file"},
    },
    {
        .scheme =
            {
                .name = "standard-webhooks",
                .summary = "Standard Webhooks, as OpenAI, Replicate, Svix and many more sign: "
                           "`webhook-id`, `webhook-timestamp`, `webhook-signature`, or `svix-` in "
                           "their place.",
                .options = {"secret_file", "tolerance"},
            },
        .needs = {"secret_file"},
        .check = config_check_webhook_keys,
    },
    {
        .scheme =
            {
                .name = "github",
                .summary = "GitHub and those who sign as it does: `X-Hub-Signature-256`.",
                .options = {"secret_file"},
            },
        .needs = {"secret_file"},
    },
    {
        .scheme =
            {
                .name = "stripe",
                .summary = "Stripe: `Stripe-Signature` with a time and one signature or more.",
                .options = {"secret_file", "tolerance"},
            },
        .needs = {"secret_file"},
    },
    {
        .scheme =
            {
                .name = "slack",
                .summary =
                    "Slack: `X-Slack-Signature`. A `url_verification` is answered, not stored.",
                .options = {"secret_file", "tolerance"},
            },
        .needs = {"secret_file"},
    },
    {
        .scheme =
            {
                .name = "shopify",
                .summary = "Shopify: `X-Shopify-Hmac-SHA256`.",
                .options = {"secret_file"},
            },
        .needs = {"secret_file"},
    },
    {
        .scheme =
            {
                .name = "gitlab",
                .summary = "GitLab's secret token: `X-Gitlab-Token`. Its newer signing tokens are "
                           "`standard-webhooks`.",
                .options = {"secret_file"},
            },
        .needs = {"secret_file"},
    },
    {
        .scheme =
            {
                .name = "twilio",
                .summary =
                    "Twilio: `X-Twilio-Signature` over `public_url`, path and query, and the "
                    "form's fields or the body's digest.",
                .options = {"secret_file"},
            },
        .needs = {"secret_file"},
        .check = config_check_public_url,
    },
    {
        .scheme =
            {
                .name = "hmac",
                .summary = "Any other HMAC: which header, algorithm, spelling and signed text, the "
                           "options say.",
                .options =
                    {"secret_file", "header", "algorithm", "encoding", "prefix", "signed",
                     "timestamp_header", "id_header", "tolerance"},
            },
        .needs = {"secret_file", "header"},
        .check = config_check_signed,
    },
    {
        .scheme =
            {
                .name = "bearer",
                .summary = "A token: `Authorization: Bearer …`, or the whole value of `header`.",
                .options = {"secret_file", "header"},
            },
        .needs = {"secret_file"},
        .check = config_check_header,
    },
    {
        .scheme =
            {
                .name = "basic",
                .summary = "A name and a password: `Authorization: Basic …`. The secret is "
                           "`name:password`.",
                .options = {"secret_file"},
            },
        .needs = {"secret_file"},
        .check = config_check_basic,
    },
    {
        .scheme =
            {
                .name = "client-certificate",
                .summary = "The client's TLS certificate, which the listener's `client_ca` vouches "
                           "for, is one of these.",
                .options = {"subjects", "fingerprints"},
            },
        .needs = {"subjects|fingerprints"},
        .check = config_check_fingerprints,
    },
    {
        .scheme =
            {
                .name = "ip-allow",
                .summary = "The client's address is in one of the networks; 403 when it is not.",
                .options = {"networks"},
            },
        .needs = {"networks"},
        .check = config_check_networks,
    },
};

enum { SCHEME_COUNT = sizeof rows / sizeof rows[0] };

const struct config_scheme *config_scheme_at(size_t index)
{
    return index < SCHEME_COUNT ? &rows[index].scheme : NULL;
}

static const struct row *find_row(const char *name)
{
    for (size_t i = 0; i < SCHEME_COUNT; i++)
        if (strcmp(rows[i].scheme.name, name) == 0)
            return &rows[i];
    return NULL;
}

const struct config_scheme *config_scheme_find(const char *name)
{
    const struct row *row = find_row(name);
    return row ? &row->scheme : NULL;
}

static const char *nearest_scheme(const char *name)
{
    const char *nearest = rows[0].scheme.name;
    for (size_t i = 1; i < SCHEME_COUNT; i++)
        if (text_distance(rows[i].scheme.name, name) < text_distance(nearest, name))
            nearest = rows[i].scheme.name;
    return nearest;
}

bool config_scheme_takes(const struct config_scheme *scheme, const char *option)
{
    if (strcmp(option, "scheme") == 0)
        return true;
    for (const char *const *known = scheme->options; *known; known++)
        if (strcmp(*known, option) == 0)
            return true;
    return false;
}

/* Options of other schemes are keys of the table, but of no use to this one. */
static void refuse_options(
    struct config_reader *reader, const struct config_place *place,
    const struct config_scheme *scheme)
{
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const char *name = json_key_of(value);
        const struct config_place member = {.parent = place, .name = name, .value = value};
        if (config_key_member(config_key_find("endpoints[].verify"), name) &&
            !config_scheme_takes(scheme, name))
            config_problem(
                reader, &member, "is not an option of the scheme %s (remove it)", scheme->name);
    }
}

static bool is_any_given(const struct config_place *place, const char *names)
{
    char name[64];
    for (; *names; names += *names == '|') {
        size_t length = strcspn(names, "|");
        snprintf(name, sizeof name, "%.*s", (int)length, names);
        if (config_is_given(place, name))
            return true;
        names += length;
    }
    return false;
}

/* Says what is missing; true when nothing is. */
static bool has_needs(
    struct config_reader *reader, const struct config_place *place, const struct row *row)
{
    bool complete = true;
    for (const char *const *needs = row->needs; *needs; needs++) {
        if (is_any_given(place, *needs))
            continue;
        const char *bar = strchr(*needs, '|');
        config_problem(
            reader, place, "the scheme %s needs \"%.*s\"%s%s%s (add it)", row->scheme.name,
            (int)strcspn(*needs, "|"), *needs, bar ? " or \"" : "", bar ? bar + 1 : "",
            bar ? "\"" : "");
        complete = false;
    }
    return complete;
}

void config_finish_verify(
    struct config_reader *reader, const struct config_place *place, void *target)
{
    struct config_verify *verify = target;
    if (!verify->scheme)
        return;
    const struct row *row = find_row(verify->scheme);
    if (row) {
        refuse_options(reader, place, &row->scheme);
        if (has_needs(reader, place, row) && row->check)
            row->check(reader, place, verify);
        return;
    }
    const struct config_place member = config_member(place, "scheme");
    config_problem(
        reader, &member, "there is no scheme \"%s\" (did you mean \"%s\"?)", verify->scheme,
        nearest_scheme(verify->scheme));
}
