/* SPDX-License-Identifier: MIT */
/* What the options of single schemes must fulfil, so that a sender is not the first to find out. */
#include "config_private.h"

#include <ctype.h>

#include "callbackd/text.h"

enum { FINGERPRINT_HEX = 64, WEBHOOK_KEY_MIN = 16, PUBLIC_KEY_BYTES = 32 };

/* ---- what is signed ---- */

static const struct {
    const char *name;
    enum config_signed piece;
} fields[] = {
    {"body", SIGNED_BODY}, {"timestamp", SIGNED_TIMESTAMP}, {"id", SIGNED_ID},
    {"url", SIGNED_URL},   {"path", SIGNED_PATH},
};

static enum config_signed field_of(struct bytes name)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (bytes_equal_text(name, fields[i].name))
            return fields[i].piece;
    return SIGNED_FAULT;
}

bool config_signed_next(const char **at, enum config_signed *piece_out, struct bytes *text_out)
{
    const char *start = *at;
    size_t length = strcspn(start, "{}");
    if (*start == '\0')
        return false;
    *piece_out = SIGNED_TEXT;
    *text_out = bytes_of(start, length);
    if (length == 0 && start[1] == start[0]) { /* a doubled brace is one */
        *text_out = bytes_of(start, 1);
        length = 2;
    } else if (length == 0) {
        size_t name = start[0] == '{' ? strcspn(start + 1, "{}") : 0;
        bool closed = start[0] == '{' && start[1 + name] == '}';
        *text_out = bytes_of(start + 1, name);
        *piece_out = closed ? field_of(*text_out) : SIGNED_FAULT;
        length = closed ? name + 2 : strlen(start);
    }
    *at = start + length;
    return true;
}

/* Bits of the pieces that stand in it; SIGNED_FAULT's among them. */
static unsigned pieces_of(const char *text)
{
    unsigned found = 0;
    enum config_signed piece;
    struct bytes ignored;
    while (config_signed_next(&text, &piece, &ignored))
        found |= 1U << piece;
    return found;
}

bool config_is_header_name(const char *name)
{
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("!#$%&'*+-.^_`|~", *name))
            return false;
    return true;
}

static void check_header_name(
    struct config_reader *reader, const struct config_place *place, const char *key,
    const char *name)
{
    const struct config_place member = config_member(place, key);
    if (name && !config_is_header_name(name))
        config_problem(
            reader, &member, "\"%s\" is not the name of a header (write it like \"X-Signature\")",
            name);
}

void config_check_header(
    struct config_reader *reader, const struct config_place *place, struct config_verify *verify)
{
    check_header_name(reader, place, "header", verify->header);
}

void config_check_signed(
    struct config_reader *reader, const struct config_place *place, struct config_verify *verify)
{
    check_header_name(reader, place, "header", verify->header);
    check_header_name(reader, place, "timestamp_header", verify->timestamp_header);
    check_header_name(reader, place, "id_header", verify->id_header);
    const struct config_place member = config_member(place, "signed");
    unsigned pieces = verify->signed_text ? pieces_of(verify->signed_text) : 1U << SIGNED_BODY;
    bool has_time = (pieces >> SIGNED_TIMESTAMP & 1) != 0;
    if (pieces >> SIGNED_FAULT & 1)
        config_problem(
            reader, &member,
            "\"%s\" is not what can be signed (its fields are {body}, {timestamp}, {id}, {url} "
            "and {path}; write {{ and }} for braces)",
            verify->signed_text);
    else if (!(pieces >> SIGNED_BODY & 1))
        config_problem(
            reader, &member, "has no {body}, so that any body would do (put {body} into it)");
    else if (has_time != (verify->timestamp_header != NULL))
        config_problem(
            reader, &member, "%s",
            has_time ? "has a {timestamp} (say in \"timestamp_header\" which header that is)"
                     : "has no {timestamp}, so that anybody could change the timestamp_header "
                       "(put {timestamp} into it, or remove \"timestamp_header\")");
    else if ((pieces >> SIGNED_ID & 1) && !verify->id_header)
        config_problem(reader, &member, "has an {id} (say in \"id_header\" which header that is)");
    if (pieces >> SIGNED_URL & 1)
        config_check_public_url(reader, place, verify);
}

/* The sender signs the URL that it was given: only public_url knows that. */
void config_check_public_url(
    struct config_reader *reader, const struct config_place *place, struct config_verify *verify)
{
    (void)verify;
    if (!reader->config->public_url)
        config_problem(
            reader, place,
            "the sender signs the URL that it posts to, which is not known (set \"public_url\")");
}

/* ---- secrets ---- */

const char *config_webhook_key_fault(struct bytes secret)
{
    static const char hmac_prefix[] = "whsec_";
    static const char public_prefix[] = "whpk_";
    bool is_public = secret.length >= strlen(public_prefix) &&
                     memcmp(secret.data, public_prefix, strlen(public_prefix)) == 0;
    size_t skip = is_public ? strlen(public_prefix) : 0;
    if (secret.length >= strlen(hmac_prefix) &&
        memcmp(secret.data, hmac_prefix, strlen(hmac_prefix)) == 0)
        skip = strlen(hmac_prefix);
    struct buffer key;
    buffer_init_secret(&key, secret.length);
    bool decoded = text_base64_decode(bytes_of(secret.data + skip, secret.length - skip), &key);
    size_t length = key.length;
    buffer_fini(&key);
    if (!decoded)
        return "is not base64 (copy it whole, with its whsec_ or whpk_)";
    if (is_public && length != PUBLIC_KEY_BYTES)
        return "is not an Ed25519 public key (32 bytes in base64 after whpk_)";
    if (!is_public && length < WEBHOOK_KEY_MIN)
        return "is shorter than 16 bytes (copy it whole, with its whsec_)";
    return NULL;
}

static const char *basic_fault(struct bytes secret)
{
    const unsigned char *colon = memchr(secret.data, ':', secret.length);
    return colon && colon != secret.data ? NULL : "is not a name, a colon and a password";
}

/* Secrets that were not handed to this process are empty, and nothing is wrong with them. */
static void check_secrets(
    struct config_reader *reader, const struct config_place *place, struct config_verify *verify,
    const char *(*fault_of)(struct bytes secret))
{
    const struct config_place member = config_member(place, "secret_file");
    for (size_t i = 0; i < verify->secret.count; i++) {
        struct bytes secret =
            bytes_of(verify->secret.items[i].data, verify->secret.items[i].length);
        const char *fault = secret.length > 0 ? fault_of(secret) : NULL;
        if (fault)
            config_problem(reader, &member, "secret %zu %s", i + 1, fault);
    }
}

void config_check_webhook_keys(
    struct config_reader *reader, const struct config_place *place, struct config_verify *verify)
{
    check_secrets(reader, place, verify, config_webhook_key_fault);
}

void config_check_basic(
    struct config_reader *reader, const struct config_place *place, struct config_verify *verify)
{
    check_secrets(reader, place, verify, basic_fault);
}

/* ---- lists ---- */

void config_check_networks(
    struct config_reader *reader, const struct config_place *place, struct config_verify *verify)
{
    const struct config_place member = config_member(place, "networks");
    if (json_type_of(member.value) == JSON_TYPE_ARRAY && json_count(member.value) == 0)
        config_problem(reader, &member, "is empty, so nobody may post (name a network)");
    (void)verify;
}

/* Colons out, small letters. */
static bool tidy_fingerprint(char *text)
{
    size_t length = 0;
    for (const char *c = text; *c; c++) {
        if (*c == ':')
            continue;
        if (!isxdigit((unsigned char)*c))
            return false;
        text[length++] = (char)tolower((unsigned char)*c);
    }
    text[length] = '\0';
    return length == FINGERPRINT_HEX;
}

static bool has_client_ca(const struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].tls.client_ca.count > 0)
            return true;
    return false;
}

void config_check_fingerprints(
    struct config_reader *reader, const struct config_place *place, struct config_verify *verify)
{
    const struct config_place member = config_member(place, "fingerprints");
    size_t index = 0;
    for (char **text = verify->fingerprints; text && *text; text++, index++)
        if (!tidy_fingerprint(*text))
            config_problem(
                reader, &member,
                "element %zu is not the SHA-256 of a certificate in hex (see openssl x509 "
                "-noout -fingerprint -sha256)",
                index);
    if (!has_client_ca(reader->config))
        config_problem(
            reader, place,
            "no listener asks for a certificate (give one \"client_ca\" in its \"tls\")");
}
