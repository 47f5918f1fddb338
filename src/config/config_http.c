/* SPDX-License-Identifier: MIT */
/* A hook that posts on: its headers, statuses, and what does not fit it. */
#include "config_private.h"

#include "callbackd/os.h"
#include "callbackd/text.h"

/* ---- headers ---- */

/* These say how the request is framed and who sent it, or come from us. */
static const char *const reserved_names[] = {
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Upgrade",
    "Expect",
    "Proxy-Authorization",
    "Proxy-Connection",
};
static const char *const reserved_prefixes[] = {"Callback-", "webhook-"};

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof reserved_names / sizeof reserved_names[0]; i++)
        if (strcasecmp(name, reserved_names[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof reserved_prefixes / sizeof reserved_prefixes[0]; i++)
        if (strncasecmp(name, reserved_prefixes[i], strlen(reserved_prefixes[i])) == 0)
            return true;
    return false;
}

static const char *name_fault(const char *name)
{
    if (!*name || !config_is_header_name(name))
        return "is not the name of a header (write it like \"X-Source\")";
    if (is_reserved(name))
        return "is a header that the daemon sets (remove it)";
    return NULL;
}

static bool has_control(struct bytes value)
{
    for (size_t i = 0; i < value.length; i++)
        if (value.data[i] < ' ' || value.data[i] == 0x7f)
            return true;
    return false;
}

static bool comes_before(const struct config_variable *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (headers[i].name && strcasecmp(headers[i].name, name) == 0)
            return true;
    return false;
}

static void check_header(
    struct config_reader *reader, const struct config_place *place, const char *name,
    const char *value)
{
    const char *field;
    size_t length;
    const char *fault = name_fault(name);
    if (fault)
        config_problem(reader, place, "\"%s\" %s", name, fault);
    else if (strcasecmp(name, "Authorization") == 0)
        config_problem(
            reader, place,
            "is a secret, which this file is no place for (put it into headers_file)");
    fault = config_template_fault(value, &field, &length);
    if (fault && field)
        config_problem(reader, place, "{%.*s} %s", (int)length, field, fault);
    else if (fault)
        config_problem(reader, place, "\"%s\" %s", value, fault);
    if (has_control(bytes_of_text(value)))
        config_problem(reader, place, "has a control character in its value (remove it)");
}

void config_read_headers(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    void *base)
{
    if (!config_is_type(reader, place, JSON_TYPE_OBJECT) || json_count(place->value) == 0)
        return;
    struct config_variable *headers = calloc(json_count(place->value), sizeof *headers);
    if (!config_have(reader, headers))
        return;
    memcpy((char *)base + key->offset, &headers, sizeof headers);
    size_t count = 0;
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const char *name = json_key_of(value);
        const struct config_place member = {.parent = place, .name = name, .value = value};
        if (!config_is_type(reader, &member, JSON_TYPE_STRING))
            continue;
        check_header(reader, &member, name, json_get_text(value));
        if (comes_before(headers, count, name))
            config_problem(reader, &member, "names that header again (keep one of them)");
        headers[count].name = text_copy(name);
        headers[count].value = text_copy(json_get_text(value));
        config_have(reader, headers[count].name);
        config_have(reader, headers[count].value);
        count++;
    }
    memcpy((char *)base + key->count_offset, &count, sizeof count);
}

/* ---- headers_file ---- */

static struct bytes without_blanks(struct bytes text)
{
    while (text.length > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = bytes_of(text.data + 1, text.length - 1);
    while (text.length > 0 &&
           (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == '\t'))
        text.length--;
    return text;
}

bool config_header_next(
    struct bytes text, size_t *at, struct bytes *name_out, struct bytes *value_out)
{
    if (!config_pair_next(text, ':', at, name_out, value_out))
        return false;
    *value_out = without_blanks(*value_out);
    return true;
}

/* As half a sentence: its lines are told by their number, for their text may be secret. */
static const char *line_fault(
    const struct config_http *http, struct bytes name, struct bytes value, bool is_header)
{
    if (!is_header)
        return "is no \"Name: value\"";
    CLEANUP_FREE char *copy = strndup((const char *)name.data, name.length);
    if (!copy)
        return NULL;
    if (strlen(copy) != name.length || name_fault(copy))
        return "names what is not a header, or one that the daemon sets";
    if (comes_before(http->headers, http->header_count, copy))
        return "names a header that \"headers\" names too";
    if (value.length == 0)
        return "has no value";
    return has_control(value) ? "has a control character in its value" : NULL;
}

static void check_headers_file(
    struct config_reader *reader, const struct config_place *place, const struct config_http *http)
{
    const struct config_place member = config_member(place, "headers_file");
    if (http->headers_file.count == 0)
        return;
    struct bytes text =
        bytes_of(http->headers_file.items[0].data, http->headers_file.items[0].length);
    size_t at = 0;
    for (bool more = true; more;) {
        struct bytes name;
        struct bytes value;
        more = config_header_next(text, &at, &name, &value);
        if (!more && !name.data)
            return;
        const char *fault = line_fault(http, name, value, more);
        int line = 1;
        for (const unsigned char *c = text.data; c < name.data; c++)
            line += *c == '\n';
        if (fault)
            config_problem(reader, &member, "line %d of it %s (correct it)", line, fault);
    }
}

/* ---- statuses ---- */

void config_read_statuses(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    void *base)
{
    struct config_statuses *statuses = (void *)((char *)base + key->offset);
    if (!config_is_type(reader, place, JSON_TYPE_ARRAY))
        return;
    statuses->given = true;
    size_t index = 0;
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const struct config_place element = config_element(place, index++, value);
        struct bytes source = json_source(reader->document, value);
        int64_t status;
        if (json_type_of(value) != JSON_TYPE_NUMBER || !text_parse_int64(source, &status) ||
            status < CONFIG_STATUS_MIN || status >= CONFIG_STATUSES)
            config_problem(
                reader, &element,
                "is not a status that is no success (write numbers from %d to %d)",
                CONFIG_STATUS_MIN, CONFIG_STATUSES - 1);
        else
            statuses->holds[status] = true;
    }
}

/* ---- the whole ---- */

/* The URL that a file holds is not quoted. NULL: it is not known here, or at fault. */
static const char *check_url(
    struct config_reader *reader, const struct config_place *place, const struct config_http *http)
{
    const struct config_place member = config_member(place, "url_file");
    bool url = config_is_given(place, "url");
    bool file = config_is_given(place, "url_file");
    if (url && file)
        config_problem(reader, place, "has both a \"url\" and a \"url_file\" (keep one of them)");
    else if (!url && !file)
        config_problem(reader, place, "has no \"url\" (write where to post to)");
    if (http->url_file.count == 0 || http->url_file.items[0].length == 0)
        return http->url;
    const struct config_secret *secret = &http->url_file.items[0];
    const char *text = (const char *)secret->data;
    const char *fault =
        strlen(text) == secret->length ? config_call_url_fault(text) : "has a zero byte in it";
    if (fault)
        config_problem(
            reader, &member, "%s (put into it what is like \"https://chat.example.com/in/…\")",
            fault);
    return fault ? NULL : text;
}

static void check_signing(
    struct config_reader *reader, const struct config_place *place, const struct config_http *http)
{
    static const char public_prefix[] = "whpk_";
    const struct config_place member = config_member(place, "secret_file");
    for (size_t i = 0; i < http->secret.count; i++) {
        struct bytes secret = bytes_of(http->secret.items[i].data, http->secret.items[i].length);
        if (secret.length == 0)
            continue;
        const char *fault = config_webhook_key_fault(secret);
        if (!fault && secret.length >= strlen(public_prefix) &&
            memcmp(secret.data, public_prefix, strlen(public_prefix)) == 0)
            fault = "is a public key, and cannot sign (name one with a whsec_ secret)";
        if (fault)
            config_problem(reader, &member, "secret %zu of it %s", i + 1, fault);
    }
}

static void check_tls(
    struct config_reader *reader, const struct config_place *place, const struct config_http *http,
    const char *url)
{
    static const char *const names[] = {"ca_file", "certificate_file", "private_key_file"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct config_place member = config_member(place, names[i]);
        if (url && strncmp(url, "http:", strlen("http:")) == 0 && config_is_given(place, names[i]))
            config_problem(reader, &member, "is of no use without TLS (use a URL with https://)");
    }
    if (config_is_given(place, "certificate_file") != config_is_given(place, "private_key_file"))
        config_problem(
            reader, place,
            "has only one of \"certificate_file\" and \"private_key_file\" (name both or none)");
    config_check_http_tls(reader, place, http);
}

void config_finish_http(
    struct config_reader *reader, const struct config_place *place, void *target)
{
    struct config_http *http = target;
    http->enabled = true;
    const char *url = check_url(reader, place, http);
    check_headers_file(reader, place, http);
    check_signing(reader, place, http);
    check_tls(reader, place, http, url);
    if (!http->fail_on.given)
        http->fail_on.holds[410] = true;
    const struct config_place networks = config_member(place, "private_networks");
    if (http->private_networks && http->redirects == 0)
        config_problem(
            reader, &networks,
            "is about redirects, and none is followed (give it \"redirects\": 3, or remove it)");
}

void config_check_http_hook(
    struct config_reader *reader, const struct config_place *place, const struct config_hook *hook)
{
    static const struct {
        const char *name;
        const char *why;
    } unfit[] = {
        {"command", "stands beside \"http\" (keep one of them)"},
        {"shell", "stands beside \"http\" (keep one of them)"},
        {"directory", "is for processes, and an http hook has none (remove it)"},
        {"env", "is for processes, and an http hook has none (see http.headers)"},
        {"env_file", "is for processes, and an http hook has none (see http.headers_file)"},
        {"user", "is for processes, and an http hook has none (remove it)"},
        {"group", "is for processes, and an http hook has none (remove it)"},
        {"umask", "is for processes, and an http hook has none (remove it)"},
        {"nice", "is for processes, and an http hook has none (remove it)"},
        {"limits", "is for processes, and an http hook has none (remove it)"},
        {"fail_on", "lists exit codes, and an http hook has none (see http.fail_on)"},
        {"retry_on", "lists exit codes, and an http hook has none (see http.fail_on)"},
    };
    for (size_t i = 0; hook->http.enabled && i < sizeof unfit / sizeof unfit[0]; i++) {
        const struct config_place member = config_member(place, unfit[i].name);
        if (config_is_given(place, unfit[i].name))
            config_problem(reader, &member, "%s", unfit[i].why);
    }
}
