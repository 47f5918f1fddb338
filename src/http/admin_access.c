/* SPDX-License-Identifier: MIT */
/* Who may talk to the admin API: no page of another site, and who has a token. */
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>
#include <strings.h>

#include "admin_private.h"
#include "admin_site.h"
#include "callbackd/clock.h"
#include "callbackd/log.h"

enum { TOKEN_BYTES_MIN = 16 /* fewer can be guessed, however slowly */ };

/* ---- tokens ---- */

/* Digests are compared, and all of them, so that neither content nor length nor place of a token
 * shows in the time. */
static bool token_is_one_of(
    const struct config_secrets *tokens, const unsigned char given[static SHA256_DIGEST_LENGTH])
{
    unsigned char known[SHA256_DIGEST_LENGTH];
    unsigned found = 0;
    for (size_t i = 0; i < tokens->count; i++) {
        if (tokens->items[i].length == 0)
            continue;
        SHA256(tokens->items[i].data, tokens->items[i].length, known);
        found |= CRYPTO_memcmp(known, given, sizeof(known)) == 0;
    }
    OPENSSL_cleanse(known, sizeof(known));
    return found != 0;
}

/* NULL: none was given. */
static const char *token_of(const struct http_request *http)
{
    const char *header = http_request_header(http, "Authorization");
    if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0)
        return NULL;
    const char *token = header + 7 + strspn(header + 7, " ");
    return *token != '\0' ? token : NULL;
}

struct rights {
    bool full;
    bool reads;
    bool metrics_are_public;
};

static struct rights rights_of(const struct admin_request *request, const char *token)
{
    unsigned char given[SHA256_DIGEST_LENGTH];
    const struct config *config = admin_lock_config(request->admin);
    struct rights rights = {.metrics_are_public = config->admin.metrics_public};
    if (token != NULL) {
        SHA256((const unsigned char *)token, strlen(token), given);
        rights.full = token_is_one_of(&config->admin.token, given);
        rights.reads = token_is_one_of(&config->admin.read_token, given);
        OPENSSL_cleanse(given, sizeof(given));
    }
    admin_unlock_config(request->admin);
    return rights;
}

/* ---- answers to who may not ---- */

static void refuse_guess(const struct admin_request *request, const char *token)
{
    const char *peer = http_request_peer(request->http);
    bool begins = false;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    uint64_t part;
    SHA256((const unsigned char *)token, strlen(token), digest);
    memcpy(&part, digest, sizeof(part));
    metrics_add(request->admin->options.metrics, METRIC_ADMIN_WRONG_TOKENS, 1);
    int wait_s = guesses_add(&request->admin->guesses, peer, part, clock_monotonic_ms(), &begins);
    if (begins)
        log_warning("admin tokens are being guessed", LOG_TEXT("remote_address", peer));
    if (wait_s > 0)
        http_respond_slow_down(
            request->http, "This token is wrong, as many were before it: wait.", wait_s);
    else
        http_respond_problem(request->http, ERROR_UNAUTHORIZED, "This token is wrong.", NULL);
}

bool admin_may(struct admin_request *request, enum access access)
{
    if (admin_request_is_foreign(request->http)) {
        http_respond_problem(
            request->http, ERROR_FORBIDDEN, "Pages of other sites may not ask here.", NULL);
        return false;
    }
    const char *token = token_of(request->http);
    struct rights rights = rights_of(request, token);
    request->may_act = rights.full;
    if (rights.full || (rights.reads && access != ACCESS_ACT) ||
        (access == ACCESS_METRICS && rights.metrics_are_public))
        return true;
    if (rights.reads)
        http_respond_problem(request->http, ERROR_FORBIDDEN, "This token may only read.", NULL);
    else if (token == NULL)
        http_respond_problem(
            request->http, ERROR_UNAUTHORIZED,
            "Send the token of admin.token_file as a Bearer token.", NULL);
    else
        refuse_guess(request, token);
    return false;
}

/* ---- at the start, and when they are exchanged ---- */

static void review(const struct config_secrets *tokens, const char *key)
{
    for (size_t i = 0; i < tokens->count; i++)
        if (tokens->items[i].length > 0 && tokens->items[i].length < TOKEN_BYTES_MIN)
            log_warning(
                "an admin token is so short that it can be guessed", LOG_TEXT("key", key),
                LOG_INT("bytes_wanted", TOKEN_BYTES_MIN));
}

void admin_review_tokens(const struct config *config)
{
    review(&config->admin.token, "admin.token_file");
    review(&config->admin.read_token, "admin.read_token_file");
}
