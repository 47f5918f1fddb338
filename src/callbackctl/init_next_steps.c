/* SPDX-License-Identifier: MIT */
#include "init_next_steps.h"

#include <string.h>

/* As one word of a shell. */
static void append_word(const char *word, const char *rest, struct buffer *out)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:";
    if (word[strspn(word, plain)] == '\0') {
        buffer_appendf(out, "%s%s", word, rest);
        return;
    }
    buffer_append_char(out, '\'');
    for (const char *c = word; *c; c++) {
        if (*c == '\'')
            buffer_append_text(out, "'\\''");
        else
            buffer_append_char(out, *c);
    }
    buffer_appendf(out, "'%s", rest);
}

static void append_start(const char *config, struct buffer *out)
{
    buffer_append_text(out, "A working configuration is in ");
    append_word(config, "\n\nStart it, and look (in another terminal):\n", out);
    buffer_append_text(out, "  callbackd --check --config ");
    append_word(config, "\n  callbackd --config ", out);
    append_word(config, "\n  export CALLBACKD_CONFIG=", out);
    append_word(config, "\n  callbackctl status\n", out);
}

/* Without the workflow service: what it would post, posted by hand. */
static void append_trial(const char *directory, struct buffer *out)
{
    buffer_append_text(
        out, "\nTry it on this machine, with a result that you post yourself:\n"
             "  url=$(callbackctl url --register --workflow trial)\n"
             "  curl --cacert ");
    append_word(
        directory,
        "/certs/server.pem \"$url\" \\\n"
        "      -d '{\"workflow_version_execution_id\":1,\"final_output\":\"hello\"}'\n"
        "  callbackctl results\n"
        "  cat ",
        out);
    append_word(directory, "/notify.log\n", out);
}

static void append_reach(const char *public_url, struct buffer *out)
{
    buffer_append_text(
        out, "\nFor results of real runs the workflow service must reach the daemon");
    if (!public_url) {
        buffer_append_text(
            out,
            ", which it\ncannot yet: the address is this machine's own, and the certificate is "
            "self-signed.\n"
            "  - Behind a reverse proxy with a certificate: set public_url to the proxy's "
            "address,\n"
            "    https://…, and let it pass /callback/ on to the address in \"listen\".\n"
            "  - Without one: set public_url and \"listen\" to addresses that it reaches, and "
            "put a\n"
            "    certificate that it trusts into certs/.\n");
    } else {
        buffer_appendf(
            out,
            " at\n%s. The certificate is self-signed: replace it with one that is\ntrusted, "
            "or put a reverse proxy with one in front. From another machine,\n"
            "  curl %s/healthz\nsays then that it is alive.\n",
            public_url, public_url);
    }
}

static void append_runs(struct buffer *out)
{
    buffer_append_text(
        out, "Then launch a run and wait for its result, with the workflow API's key:\n"
             "  PROMPTLAYER_API_KEY=… callbackctl run WORKFLOW --wait\n"
             "Until then --no-callback launches without a callback, and asks for the result:\n"
             "  PROMPTLAYER_API_KEY=… callbackctl run WORKFLOW --no-callback --wait\n"
             "\nEach final result runs hooks/notify.sh; change it to do what you need.\n");
}

void init_append_next_steps(
    const char *directory, const char *config, const char *public_url, struct buffer *out)
{
    append_start(config, out);
    if (!public_url)
        append_trial(directory, out);
    append_reach(public_url, out);
    append_runs(out);
}
