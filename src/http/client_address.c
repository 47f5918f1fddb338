/* SPDX-License-Identifier: MIT */
#include "client_address.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "callbackd/buffer.h"
#include "callbackd/text.h"

/* All headers together are smaller than this (see receiver.c): no client can make a chain so long
 * that what our proxy wrote at its end is not seen. */
enum { CHAIN_MAX_BYTES = 64 * 1024 };

static const char unknown[] = "unknown";

bool client_address_is_proxy(
    const struct config_proxies *proxies, const unsigned char address[static 16])
{
    for (size_t i = 0; i < proxies->count; i++)
        if (config_network_holds(&proxies->networks[i], address))
            return true;
    return false;
}

static bool is_trusted(const struct config_proxies *proxies, const char *address)
{
    unsigned char bytes[16];
    if (strcmp(address, "unix") == 0)
        return proxies->unix_sockets;
    return config_parse_address(address, bytes) && client_address_is_proxy(proxies, bytes);
}

/* "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1", with quotes or without:
 * the bare address, or false. */
static bool bare_address(struct bytes text, char out[static CLIENT_ADDRESS_BYTES])
{
    while (text.length > 0 && strchr(" \t\"", text.data[0]) != NULL)
        text = bytes_of(text.data + 1, text.length - 1);
    while (text.length > 0 && strchr(" \t\"", text.data[text.length - 1]) != NULL)
        text.length--;
    const unsigned char *bracket = memchr(text.data, ']', text.length);
    const unsigned char *colon = memchr(text.data, ':', text.length);
    if (text.length > 0 && text.data[0] == '[' && bracket != NULL)
        text = bytes_of(text.data + 1, (size_t)(bracket - text.data) - 1);
    else if (
        colon != NULL &&
        memchr(colon + 1, ':', text.length - (size_t)(colon - text.data) - 1) == NULL)
        text.length = (size_t)(colon - text.data);
    if (text.length == 0 || text.length >= CLIENT_ADDRESS_BYTES)
        return false;
    memcpy(out, text.data, text.length);
    out[text.length] = '\0';
    unsigned char bytes[16];
    return config_parse_address(out, bytes);
}

void client_address_from_chain(
    const struct config_proxies *proxies, const char *peer, const char *chain,
    char out[static CLIENT_ADDRESS_BYTES])
{
    snprintf(out, CLIENT_ADDRESS_BYTES, "%s", peer);
    size_t end = strlen(chain);
    while (is_trusted(proxies, out) && end > 0) {
        size_t start = end;
        while (start > 0 && chain[start - 1] != ',')
            start--;
        char next[CLIENT_ADDRESS_BYTES];
        /* What is not an address was not written by a proxy of ours: stop believing. */
        if (!bare_address(bytes_of(chain + start, end - start), next))
            return;
        memcpy(out, next, sizeof(next));
        end = start > 0 ? start - 1 : 0;
    }
}

/* Appends the `for=` of each element of a Forwarded header to the chain; an element without one
 * stands for somebody who is not named, and nobody left of it may take that place. */
static void append_forwarded(struct buffer *chain, const char *value)
{
    while (*value != '\0') {
        const char *element_end = value + strcspn(value, ",");
        const char *pair = value;
        buffer_append_text(chain, chain->length > 0 ? "," : "");
        size_t named = chain->length;
        while (pair < element_end) {
            pair += strspn(pair, " \t;");
            size_t length = strcspn(pair, ";,");
            if (length > 4 && strncasecmp(pair, "for=", 4) == 0)
                buffer_append(chain, pair + 4, length - 4);
            pair += length;
        }
        if (chain->length == named)
            buffer_append_text(chain, unknown);
        value = *element_end == ',' ? element_end + 1 : element_end;
    }
}

/* All values of one header, in order, as one chain. false: there is no such header. */
static bool collect(const struct http_request *request, const char *header, struct buffer *chain)
{
    size_t count = http_request_header_count(request);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        const char *name = NULL;
        const char *value = NULL;
        http_request_header_at(request, i, &name, &value);
        if (strcasecmp(name, header) != 0)
            continue;
        if (strcasecmp(header, "Forwarded") == 0) {
            append_forwarded(chain, value);
        } else {
            buffer_append_text(chain, found ? "," : "");
            buffer_append_text(chain, value);
        }
        found = true;
    }
    return found;
}

/* The client by one header. false: there is no such header. */
static bool resolve_by(
    const char *header, const struct config_proxies *proxies, const struct http_request *request,
    char out[static CLIENT_ADDRESS_BYTES])
{
    struct buffer chain;
    buffer_init(&chain, CHAIN_MAX_BYTES);
    bool found = collect(request, header, &chain);
    if (buffer_failed(&chain))
        snprintf(out, CLIENT_ADDRESS_BYTES, "%s", unknown);
    else if (found)
        client_address_from_chain(proxies, http_request_peer(request), buffer_text(&chain), out);
    buffer_fini(&chain);
    return found;
}

void client_address_resolve(
    const struct config_proxies *proxies, const struct http_request *request,
    char out[static CLIENT_ADDRESS_BYTES])
{
    char forwarded[CLIENT_ADDRESS_BYTES];
    const char *peer = http_request_peer(request);
    text_copy_cut(peer, out, CLIENT_ADDRESS_BYTES);
    if (!is_trusted(proxies, peer))
        return;
    bool by_list = resolve_by("X-Forwarded-For", proxies, request, out);
    if (!resolve_by("Forwarded", proxies, request, forwarded))
        return;
    /* One of the two the proxy wrote, the other it let through from the client: which is which,
     * nobody here can know. */
    const char *found = by_list && strcmp(out, forwarded) != 0 ? unknown : forwarded;
    snprintf(out, CLIENT_ADDRESS_BYTES, "%s", found);
}
