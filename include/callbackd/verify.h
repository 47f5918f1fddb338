/* SPDX-License-Identifier: MIT */
/*
 * May this post be believed? One table of schemes (schemes.c), each a small file.
 * Verification has two parts: what can be said from the request's head, before a
 * byte of the body is read, and what needs the exact body. Every scheme that an
 * endpoint names must hold. Comparisons of secrets take constant time.
 *
 * Threads: a struct verifier is read-only after it was made; any thread may use it.
 */
#ifndef CALLBACKD_VERIFY_H
#define CALLBACKD_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/config.h"
#include "callbackd/error.h"
#include "callbackd/id.h"

/* ---- run tokens ---- */

/*
 * A run token is what stands after the endpoint's path in a callback URL. Its bytes, in
 * base64url (RFC 4648 section 5, no padding), 76 characters:
 *
 *   1 byte   version, 1
 *   16 bytes run id (UUIDv7)
 *   8 bytes  expiry, seconds since 1970 UTC, big-endian
 *   32 bytes HMAC-SHA256(key, "callbackd run-token" 0x00 endpoint-name 0x00 the bytes above)
 *
 * Stateless: whoever has a key can mint one, and it verifies without a look-up.
 */
enum { RUN_TOKEN_TEXT_LENGTH = 76, RUN_TOKEN_TEXT_BYTES = 77 };

/* Signs with the first key. -1 (ERROR_CONFIG) when there is no key. */
int run_token_mint(
    const struct config_secrets *keys, const char *endpoint, const struct id *run,
    int64_t expires_at_s, char out[static RUN_TOKEN_TEXT_BYTES], struct error *error);
/* Keys made ready, for any thread and for many tokens: much faster. NULL: no memory. */
struct run_token_keys;
struct run_token_keys *run_token_keys_new(
    const struct config_secrets *secrets, struct error *error);
void run_token_keys_free(struct run_token_keys *keys); /* NULL is allowed */
/* Tries every key. -1 with ERROR_UNAUTHORIZED; the message says why, for our log only. Or with
 * ERROR_MEMORY: it could not be found out. */
int run_token_check(
    const struct run_token_keys *keys, const char *endpoint, struct bytes token, int64_t now_s,
    struct id *run_out, struct error *error);
/* The same for one token. */
int run_token_verify(
    const struct config_secrets *secrets, const char *endpoint, struct bytes token, int64_t now_s,
    struct id *run_out, struct error *error);
/* The expiry of a token minted now: the longer of its lifetime and the deadline plus a day.
 * deadline_ms: wall time, 0 = none. Result in seconds. */
int64_t run_token_expiry(int64_t now_ms, int64_t lifetime_ms, int64_t deadline_ms);
/* Appends <public_url><path>/<token>. */
int run_token_url(const char *public_url, const char *path, const char *token, struct buffer *out);

/* ---- verification of a post ---- */

enum { VERIFY_FINGERPRINT_BYTES = 65 };

/* What a scheme may look at. All borrowed. */
struct verify_request {
    const char *path_rest; /* after the endpoint's path: "" or "/…" */
    const char *path;      /* the whole path as sent */
    const char *query;     /* as sent, without '?'; NULL or "" when there is none */
    const char *(*header)(const void *context, const char *name); /* NULL when absent */
    /* The client's certificate, which the TLS layer verified: appends its subject (RFC 2253), and
     * gives its SHA-256 in lower-case hex. false: there is none. May be NULL. */
    bool (*certificate)(
        const void *context, struct buffer *subject,
        char fingerprint_out[static VERIFY_FINGERPRINT_BYTES]);
    const void *context;
    const char *client_address; /* resolved across proxies, or "unix" */
    int64_t now_ms;             /* wall time */
};

enum { VERIFY_TEXT_MAX = 255 };

struct verify_outcome {
    bool has_run;
    struct id run;
    char delivery_id[VERIFY_TEXT_MAX + 1]; /* the sender's, "" when the scheme has none */
    /* "run-token", "github+ip-allow", "promptlayer:python", "none" */
    char verified_by[VERIFY_TEXT_MAX + 1];
    /* Which form of a signature fitted, from a scheme that knows several; NULL: no matter. */
    const char *variant;
    /* A sender's question whether the URL is ours, answered and not stored: the JSON string, as it
     * stands in the body, that is the answer's "challenge". Empty: it is no such question. */
    struct bytes challenge;
};

struct verifier;

/* What one scheme says of a post, to explain it. */
struct verify_verdict {
    const char *scheme;
    bool holds;
    const char *variant; /* as above, where it holds */
    const char *reason;  /* why it does not hold; NULL where it does */
};

/* Does a scheme of that name exist? For config --check. */
bool verify_scheme_exists(const char *name);
/* The i-th scheme's name and what it is, for documentation; NULL past the end. */
const char *verify_scheme_name(size_t index, const char **summary_out);
/* Does any scheme of the endpoint take a part of the path (a token) for itself? */
bool verifier_uses_path(const struct verifier *verifier);
/* Does the header of that name, in any case, carry a secret that is not to be kept? */
bool verifier_hides_header(const struct verifier *verifier, const char *name);

/* Borrows config and endpoint until verifier_free. NULL on failure. */
struct verifier *verifier_new(
    const struct config *config, const struct config_endpoint *endpoint, struct error *error);
void verifier_free(struct verifier *verifier); /* NULL is allowed */

/* The part before the body. -1: ERROR_UNAUTHORIZED or ERROR_FORBIDDEN, reason for the log;
 * ERROR_MEMORY when it could not be found out, which is no verdict. */
int verifier_check_head(
    const struct verifier *verifier, const struct verify_request *request,
    struct verify_outcome *outcome, struct error *error);
/* The part over the exact body; `outcome` is the one of check_head. */
int verifier_check_body(
    const struct verifier *verifier, const struct verify_request *request, struct bytes body,
    struct verify_outcome *outcome, struct error *error);
/* Asks every scheme, also after one that does not hold, and calls `visit` for each. true: all
 * hold. */
bool verifier_explain(
    const struct verifier *verifier, const struct verify_request *request, struct bytes body,
    struct verify_outcome *outcome_out,
    void (*visit)(void *context, const struct verify_verdict *verdict), void *context);

#endif
