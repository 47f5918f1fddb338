/* SPDX-License-Identifier: MIT */
/*
 * Who is really calling: the peer, or what trusted proxies say of the client
 * behind them. X-Forwarded-For (de facto) and Forwarded (RFC 7239) are believed
 * only from a trusted proxy, and read from the right: the first address that is
 * not itself a trusted proxy is the client. A proxy that sends both headers must
 * mean the same by them. Threads: any.
 */
#ifndef CALLBACKD_HTTP_CLIENT_ADDRESS_H
#define CALLBACKD_HTTP_CLIENT_ADDRESS_H

#include "callbackd/config.h"
#include "server.h"

enum { CLIENT_ADDRESS_BYTES = 64 };

/* A numeric address without port; "unix" when a Unix peer names nobody; "unknown" when the two
 * headers contradict each other: that is nobody's address and in no network. */
void client_address_resolve(
    const struct config_proxies *proxies, const struct http_request *request,
    char out[static CLIENT_ADDRESS_BYTES]);

/* The address (IPv4 mapped) is a trusted proxy's. */
bool client_address_is_proxy(
    const struct config_proxies *proxies, const unsigned char address[static 16]);

/* The rule itself, on texts: `chain` is the comma-separated list as the headers had it, already
 * reduced to addresses; used by the above and by its tests. */
void client_address_from_chain(
    const struct config_proxies *proxies, const char *peer, const char *chain,
    char out[static CLIENT_ADDRESS_BYTES]);

#endif
