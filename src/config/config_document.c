/* SPDX-License-Identifier: MIT */
/* docs/CONFIGURATION.md, made from the table of keys. */
#include "config_private.h"

#include <ctype.h>
#include <inttypes.h>

#include "callbackd/text.h"

static const char introduction[] =
    "# Configuration\n"
    "\n"
    "<!-- Made from the table in src/config/config_keys.c. Change that, not this. -->\n"
    "\n"
    "`callbackd` reads one file, `/etc/callbackd/callbackd.json` unless `--config` names another.\n"
    "`callbackd --check` reads it and everything that it names, and prints all that is wrong, "
    "each\n"
    "as `FILE:LINE: key.path: what is wrong (what to do)`.\n"
    "\n"
    "A running daemon reads it again on SIGHUP, with all secrets and certificates; a file with\n"
    "problems is refused, and the configuration in use stays. A change of a key that says *Needs "
    "a\n"
    "restart* is taken over at the next start only: the log warns of it.\n"
    "\n"
    "A small one that works:\n"
    "\n"
    "```jsonc\n"
    "{\n"
    "  \"public_url\": \"https://hooks.example.com\",   // how senders reach us\n"
    "  \"listen\": [ { \"address\": \"0.0.0.0:8443\",\n"
    "                \"tls\": { \"certificate\": \"server.pem\", \"private_key\": \"server.key\" } "
    "} ],\n"
    "  \"admin\": { \"address\": \"127.0.0.1:8081\", \"token_file\": \"admin.token\" },\n"
    "  \"store\": { \"directory\": \"/var/lib/callbackd\" },\n"
    "  \"run_token\": { \"key_file\": \"run-token.key\" },\n"
    "  \"endpoints\": [\n"
    "    { \"name\": \"results\", \"path\": \"/callback\", \"verify\": [ { \"scheme\": "
    "\"run-token\" } ] }\n"
    "  ],\n"
    "  \"hooks\": [\n"
    "    { \"name\": \"notify\", \"endpoint\": \"results\", \"when\": { \"status\": [\"failed\"] "
    "},\n"
    "      \"command\": [\"hooks/notify.sh\", \"{execution_id}\"] }\n"
    "  ]\n"
    "}\n"
    "```\n"
    "\n"
    "## How values are written\n"
    "\n"
    "- **The file** is JSON. Comments, `// to the end of the line` and `/* between marks */`, may\n"
    "  stand wherever a blank may. A key that is not listed here is an error, and so is one that\n"
    "  stands twice.\n"
    "- **Durations** are a whole number and a unit: `\"250ms\"` `\"30s\"` `\"10m\"` `\"2h\"` "
    "`\"7d\"`.\n"
    "- **Sizes** are a whole number and `B` `KiB` `MiB` or `GiB`: `\"64KiB\"` `\"16MiB\"`.\n"
    "- **Paths** that do not begin with `/` are relative to the configuration file's folder.\n"
    "- **Secrets** are never written in the file. In their place stands where they are: the name\n"
    "  of a file, `\"env:NAME\"` for an environment variable, or `\"credential:NAME\"` for a\n"
    "  credential that systemd hands over (`LoadCredential=`). A file that everybody can read is\n"
    "  refused, unless it holds certificates. One line break at its end does not count. For\n"
    "  rotation write a list, `[\"new.key\", \"old.key\"]`: the first signs, all of them verify. "
    "Each\n"
    "  secret is handed only to the process that needs it.\n"
    "- **Addresses** are numeric, with a port: `\"127.0.0.1:8080\"` `\"[::1]:8080\"`.\n"
    "- **An empty text** where a value is not required is the same as none.\n";

static bool is_section(const struct config_key *key)
{
    return key->type == KEY_OBJECT || key->type == KEY_LIST || config_key_next(key, NULL) != NULL;
}

/* "hooks[].retry", and "hooks[]" for what stands in a list's elements. */
static void append_title(const struct config_key *key, struct buffer *out)
{
    size_t length = strlen(key->pattern);
    const struct config_key *first = config_key_next(key, NULL);
    buffer_append_text(out, key->pattern);
    if (first && strncmp(first->pattern + length, "[]", 2) == 0)
        buffer_append_text(out, "[]");
}

/* The name that a heading gets where Markdown is shown: letters, digits, '-' and '_' of it. */
static void append_anchor(const struct config_key *key, struct buffer *out)
{
    for (const char *c = key->pattern; *c; c++)
        if (isalnum((unsigned char)*c) || *c == '_' || *c == '-')
            buffer_append_char(out, *c);
}

static void append_type(const struct config_key *key, struct buffer *out)
{
    for (size_t i = 0; key->choices && key->choices[i]; i++)
        buffer_appendf(out, "%s`\"%s\"`", i > 0 ? " " : "", key->choices[i]);
    if (key->choices)
        return;
    buffer_append_text(out, key->shape ? key->shape : config_type(key->type)->shape);
    if (key->type == KEY_SECRET && !(key->flags & KEY_SINGLE))
        buffer_append_text(out, " or a list of them");
    if (key->flags & KEY_OR_NONE)
        buffer_append_text(out, " or `\"none\"`");
}

/* An object is, if one of its members is and it may not be left out as a whole. */
static bool is_required(const struct config_key *key)
{
    const struct config_key *member = NULL;
    while (key->type == KEY_OBJECT && !(key->flags & KEY_OPTIONAL) &&
           (member = config_key_next(key, member)))
        if (is_required(member))
            return true;
    return key->flags & KEY_REQUIRED;
}

static void append_default(const struct config_key *key, struct buffer *out)
{
    bool quoted = config_type(key->type)->json == JSON_TYPE_STRING;
    if (key->fallback)
        buffer_appendf(out, quoted ? "`\"%s\"`" : "`%s`", key->fallback);
    else
        buffer_append_text(out, is_required(key) ? "required" : "–");
}

static void append_bounds(const struct config_key *key, struct buffer *out)
{
    char from[32];
    char to[32];
    if (key->type == KEY_INTEGER) {
        snprintf(from, sizeof from, "%" PRId64, key->minimum);
        snprintf(to, sizeof to, "%" PRId64, key->maximum);
    } else if (key->type == KEY_DURATION) {
        text_format_duration(key->minimum, from, sizeof from);
        text_format_duration(key->maximum, to, sizeof to);
    } else if (key->type == KEY_SIZE) {
        config_format_size(key->minimum, from, sizeof from);
        config_format_size(key->maximum, to, sizeof to);
    } else {
        return;
    }
    buffer_appendf(out, " From %s to %s.", from, to);
}

static void append_secrecy(const struct config_key *key, struct buffer *out)
{
    static const char *const holders[] = {
        [CONFIG_ROLE_RECEIVER] = "the receiver",
        [CONFIG_ROLE_WORKER] = "the worker",
        [CONFIG_ROLE_ALL] = "both processes",
    };
    if (key->type != KEY_SECRET)
        return;
    if (key->minimum > 0)
        buffer_appendf(out, " At least %" PRId64 " bytes.", key->minimum);
    if (!(key->flags & KEY_PUBLIC))
        buffer_appendf(out, " Handed to %s.", holders[key->role]);
}

static void append_row(const struct config_key *key, struct buffer *out)
{
    buffer_appendf(out, "| `%s` | ", config_key_name(key));
    append_type(key, out);
    buffer_append_text(out, " | ");
    append_default(key, out);
    buffer_append_text(out, " | ");
    if (is_section(key)) {
        buffer_append_text(out, "See [`");
        append_title(key, out);
        buffer_append_text(out, "`](#");
        append_anchor(key, out);
        buffer_append_text(out, "). |\n");
        return;
    }
    buffer_append_text(out, key->meaning);
    append_bounds(key, out);
    append_secrecy(key, out);
    buffer_append_text(out, key->flags & KEY_RESTART ? " *Needs a restart.* |\n" : " |\n");
}

static void append_schemes(struct buffer *out)
{
    buffer_append_text(out, "\n| scheme | options | meaning |\n|---|---|---|\n");
    for (size_t i = 0; config_scheme_at(i); i++) {
        const struct config_scheme *scheme = config_scheme_at(i);
        buffer_appendf(out, "| `%s` |", scheme->name);
        for (const char *const *option = scheme->options; *option; option++)
            buffer_appendf(out, " `%s`", *option);
        buffer_appendf(out, "%s | %s |\n", scheme->options[0] ? "" : " –", scheme->summary);
    }
}

/* A table of the members, then the sections of those that have members of their own. */
static void append_section(const struct config_key *parent, struct buffer *out)
{
    buffer_append_text(out, "\n## ");
    if (parent) {
        buffer_append_text(out, "`");
        append_title(parent, out);
        buffer_appendf(out, "`\n\n%s\n", parent->meaning);
    } else {
        buffer_append_text(out, "The file\n");
    }
    buffer_append_text(out, "\n| key | type | default | meaning |\n|---|---|---|---|\n");
    const struct config_key *key = NULL;
    while ((key = config_key_next(parent, key)))
        append_row(key, out);
    if (parent && strcmp(parent->pattern, "endpoints[].verify") == 0)
        append_schemes(out);
    while ((key = config_key_next(parent, key)))
        if (is_section(key))
            append_section(key, out);
}

int config_document(struct buffer *out)
{
    buffer_append_text(out, introduction);
    append_section(NULL, out);
    return buffer_failed(out) ? -1 : 0;
}
