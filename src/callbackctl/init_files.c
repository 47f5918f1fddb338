/* SPDX-License-Identifier: MIT */
#include "init_files.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/json_writer.h"
#include "callbackd/os.h"
#include "callbackd/text.h"

enum { SECRET_BYTES = 32 };

static const char hook_script[] =
    "#!/bin/sh\n"
    "# Run by callbackd for each final result. The exact body is on standard input, and in the\n"
    "# file that CALLBACK_BODY_FILE names; what is known about it is in the environment.\n"
    "#\n"
    "# Exit 0: done. Exit 65: never try again. Anything else: callbackd tries again.\n"
    "# A hook may run more than once for the same job: CALLBACK_JOB_ID is the same then.\n"
    "set -eu\n"
    "\n"
    "# Whoever launches a workflow names it, so no control character gets into our log.\n"
    "line=$(printf '%s' \"$CALLBACK_RECEIVED_AT status=$CALLBACK_STATUS "
    "workflow=$CALLBACK_WORKFLOW execution=$CALLBACK_EXECUTION_ID "
    "result=$CALLBACK_RESULT_ID job=$CALLBACK_JOB_ID\" | tr -d '[:cntrl:]')\n"
    "printf '%s\\n' \"$line\" >> notify.log\n"
    "\n"
    "# The output itself, with jq:\n"
    "# jq -r '.final_output' \"$CALLBACK_BODY_FILE\"\n";

static const char config_head[] =
    "// callbackd's configuration: JSON with comments. Relative paths start at this file's\n"
    "// directory. Secrets are never written here: a key that ends with _file names a file, or\n"
    "// \"env:NAME\", or \"credential:NAME\" (systemd). Check it with: callbackd --check --config "
    "FILE\n"
    "{\n";

static const char config_middle[] =
    "  // Where the daemon keeps what it receives and decides.\n"
    "  \"store\": { \"directory\": \"store\", \"retention\": \"30d\" },\n"
    "\n"
    "  // Signs the callback URLs. To change it, list the new file first and keep the old one\n"
    "  // until the runs that it signed have ended: [\"run-token.key\", \"run-token.old\"].\n"
    "  \"run_token\": { \"key_file\": \"run-token.key\", \"lifetime\": \"7d\" },\n"
    "\n"
    "  // With the workflow API's key the daemon asks for results whose callback never came.\n"
    "  // Put the key into promptlayer.key (chmod 600) and take the slashes away.\n"
    "  \"promptlayer\": {\n"
    "    \"base_url\": \"https://api.promptlayer.com\"\n"
    "    // , \"api_key_file\": \"promptlayer.key\"\n"
    "  },\n"
    "\n"
    "  \"endpoints\": [\n"
    "    // Results of workflow runs. Each run has a URL of its own: /callback/<run token>.\n"
    "    { \"name\": \"results\", \"path\": \"/callback\", \"kind\": \"workflow-result\",\n"
    "      \"verify\": [ { \"scheme\": \"run-token\" } ] }\n"
    "  ],\n"
    "\n"
    "  \"hooks\": [\n"
    "    // Each final result of the endpoint above starts this command. Never a shell: every\n"
    "    // item is one argument, and {name} in it stands for what is known about the result.\n"
    "    {\n"
    "      \"name\": \"notify\", \"endpoint\": \"results\",\n"
    "      // \"when\": { \"status\": [\"failed\"], \"workflow\": \"support-*\" },\n"
    "      \"command\": [\"hooks/notify.sh\"],\n"
    "      \"timeout\": \"30s\",\n"
    "      \"concurrency\": 4,\n"
    "      \"retry\": { \"attempts\": 5, \"first_delay\": \"1s\", \"max_delay\": \"5m\" }\n"
    "    }\n"
    "  ]\n"
    "}\n";

static void append_public_url(const struct init_settings *settings, struct buffer *out)
{
    struct json_writer writer;
    buffer_append_text(
        out, "  // How the sender reaches this daemon: the base of every callback URL.\n");
    if (!settings->public_url && settings->port == 0) {
        buffer_append_text(out, "  // \"public_url\": \"https://hooks.example.com\",\n\n");
        return;
    }
    buffer_append_text(out, "  \"public_url\": ");
    json_writer_init(&writer, out);
    if (settings->public_url)
        json_text(&writer, settings->public_url);
    else
        buffer_appendf(out, "\"https://127.0.0.1:%" PRId64 "\"", settings->port);
    buffer_append_text(out, ",\n\n");
}

static int write_config(
    const struct init_settings *settings, struct buffer *out, struct error *error)
{
    buffer_append_text(out, config_head);
    append_public_url(settings, out);
    buffer_appendf(
        out,
        "  // Where results arrive. \"0.0.0.0:%" PRId64 "\" is reached from other machines too.\n"
        "  \"listen\": [\n"
        "    { \"address\": \"127.0.0.1:%" PRId64 "\",\n"
        "      \"tls\": { \"certificate\": \"certs/server.pem\", \"private_key\": "
        "\"certs/server.key\" } }\n"
        "  ],\n"
        "\n"
        "  // For callbackctl and metrics. Keep it on loopback.\n"
        "  \"admin\": { \"address\": \"127.0.0.1:%" PRId64 "\", \"token_file\": \"admin.token\" "
        "},\n\n",
        settings->port, settings->port, settings->admin_port);
    buffer_append_text(out, config_middle);
    return buffer_failed(out) ? error_set(error, ERROR_MEMORY, "no memory for a file") : 0;
}

static int write_secret(
    const struct init_settings *settings, struct buffer *out, struct error *error)
{
    (void)settings;
    unsigned char random[SECRET_BYTES];
    os_random(random, sizeof(random));
    text_base64url_encode(bytes_of(random, sizeof(random)), out);
    buffer_append_char(out, '\n');
    explicit_bzero(random, sizeof(random));
    return buffer_failed(out) ? error_set(error, ERROR_MEMORY, "no memory for a file") : 0;
}

static int write_hook(const struct init_settings *settings, struct buffer *out, struct error *error)
{
    (void)settings;
    buffer_append_text(out, hook_script);
    return buffer_failed(out) ? error_set(error, ERROR_MEMORY, "no memory for a file") : 0;
}

const struct init_file init_files[] = {
    {"run-token.key", 0600, write_secret},
    {"admin.token", 0600, write_secret},
    {"hooks/notify.sh", 0755, write_hook},
    {"callbackd.json", 0644, write_config},
    {NULL, 0, NULL},
};

static int url_error(const char *url, struct error *error)
{
    return error_set(
        error, ERROR_USAGE, "--public-url: \"%s\" is not a URL such as https://hooks.example.com",
        url);
}

/* "host", "host:port", "[v6]:port": the host. NULL when it is none of these. */
static char *authority_host(const char *authority, size_t length)
{
    const char *end = authority + length;
    const char *host_end = memchr(authority, ':', length);
    if (authority[0] == '[') {
        authority++;
        host_end = memchr(authority, ']', (size_t)(end - authority));
        if (!host_end || (host_end + 1 != end && host_end[1] != ':'))
            return NULL;
    }
    if (!host_end)
        host_end = end;
    for (const char *c = authority; c < host_end; c++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:", *c))
            return NULL;
    }
    return host_end > authority ? strndup(authority, (size_t)(host_end - authority)) : NULL;
}

char *init_url_host(const char *public_url, struct error *error)
{
    const char *authority = NULL;
    if (strncmp(public_url, "https://", 8) == 0)
        authority = public_url + 8;
    else if (strncmp(public_url, "http://", 7) == 0)
        authority = public_url + 7;
    size_t url_length = strlen(public_url);
    if (!authority || public_url[url_length - 1] == '/' || strpbrk(public_url, " ?#@\"\\<>")) {
        url_error(public_url, error);
        return NULL;
    }
    char *host = authority_host(authority, strcspn(authority, "/"));
    if (!host)
        url_error(public_url, error);
    return host;
}
