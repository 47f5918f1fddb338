/* SPDX-License-Identifier: MIT */
#include "tls_tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"

/* What OpenSSL's callback for tickets returns. */
enum answer { TICKET_FAILED = -1, TICKET_UNKNOWN = 0, TICKET_GOOD = 1, TICKET_TO_RENEW = 2 };

enum { IV_BYTES = 16 };

int tls_tickets_init(struct tls_tickets *tickets, int64_t period_ms, struct error *error)
{
    *tickets = (struct tls_tickets){.period_ms = period_ms, .made_ms = clock_monotonic_ms()};
    if (pthread_mutex_init(&tickets->lock, NULL))
        return error_set(error, ERROR_MEMORY, "out of memory");
    os_random(tickets->keys, sizeof(tickets->keys));
    return 0;
}

void tls_tickets_fini(struct tls_tickets *tickets)
{
    (void)pthread_mutex_destroy(&tickets->lock);
    OPENSSL_cleanse(tickets->keys, sizeof(tickets->keys));
}

/* After two periods in which nobody came the one before is too old as well. */
static void rotate_locked(struct tls_tickets *tickets)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t age_ms = now_ms - tickets->made_ms;
    if (age_ms < tickets->period_ms)
        return;
    tickets->keys[1] = tickets->keys[0];
    os_random(&tickets->keys[0], sizeof(tickets->keys[0]));
    if (age_ms >= 2 * tickets->period_ms)
        os_random(&tickets->keys[1], sizeof(tickets->keys[1]));
    tickets->made_ms = now_ms;
}

static void take_newest(struct tls_tickets *tickets, struct tls_ticket_key *key_out)
{
    (void)pthread_mutex_lock(&tickets->lock);
    rotate_locked(tickets);
    *key_out = tickets->keys[0];
    (void)pthread_mutex_unlock(&tickets->lock);
}

static enum answer find(
    struct tls_tickets *tickets, const unsigned char *name, struct tls_ticket_key *key_out)
{
    enum answer found = TICKET_UNKNOWN;
    (void)pthread_mutex_lock(&tickets->lock);
    rotate_locked(tickets);
    for (int i = 0; i < 2 && found == TICKET_UNKNOWN; i++) {
        if (memcmp(tickets->keys[i].name, name, sizeof(key_out->name)) != 0)
            continue;
        *key_out = tickets->keys[i];
        found = i == 0 ? TICKET_GOOD : TICKET_TO_RENEW;
    }
    (void)pthread_mutex_unlock(&tickets->lock);
    return found;
}

static bool set_keys(
    struct tls_ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
    bool seals)
{
    char digest[] = "SHA256"; /* it takes no constant */
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, seals) == 1 &&
           EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

/* Under TLS 1.3 a client uses each once (RFC 8446, C.4), and needs another. But who has shown a
 * certificate has to show it again before long: its sessions end with the key of their ticket. */
static enum answer renew(const SSL *ssl, enum answer answer)
{
    if (answer == TICKET_UNKNOWN)
        return answer;
    if (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER)
        return TICKET_GOOD;
    return SSL_version(ssl) == TLS1_3_VERSION ? TICKET_TO_RENEW : answer;
}

static int give_key(
    SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
    int seals)
{
    struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct tls_ticket_key key;
    enum answer answer = TICKET_GOOD;
    if (seals) {
        take_newest(tickets, &key);
        memcpy(name, key.name, sizeof(key.name));
        os_random(iv, IV_BYTES);
    } else {
        answer = renew(ssl, find(tickets, name, &key));
    }
    if (answer != TICKET_UNKNOWN && !set_keys(&key, iv, cipher, mac, seals != 0))
        answer = TICKET_FAILED;
    OPENSSL_cleanse(&key, sizeof(key));
    return (int)answer;
}

void tls_tickets_use(struct tls_tickets *tickets, SSL_CTX *context)
{
    (void)SSL_CTX_set_app_data(context, tickets);
    (void)SSL_CTX_set_tlsext_ticket_key_evp_cb(context, give_key);
    /* Each costs both sides some hundredths of a handshake, and who resumes gets another. */
    (void)SSL_CTX_set_num_tickets(context, 1);
    (void)SSL_CTX_set_timeout(context, (long)(tickets->period_ms / 1000));
}
