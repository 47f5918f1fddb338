/* SPDX-License-Identifier: MIT */
/* Addresses: of listeners, of peers that are trusted, and whether one is in a network. */
#include "config_private.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum { ADDRESS_BITS = 128, IPV4_BITS = 32, IPV4_OFFSET = 12 };

static const unsigned char mapped_prefix[IPV4_OFFSET] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_mapped(const unsigned char address[static 16])
{
    return memcmp(address, mapped_prefix, sizeof mapped_prefix) == 0;
}

bool config_parse_address(const char *text, unsigned char address_out[16])
{
    unsigned char address[16];
    if (inet_pton(AF_INET6, text, address) == 1) {
        memcpy(address_out, address, sizeof address);
        return true;
    }
    if (inet_pton(AF_INET, text, address + IPV4_OFFSET) != 1)
        return false;
    memcpy(address, mapped_prefix, sizeof mapped_prefix);
    memcpy(address_out, address, sizeof address);
    return true;
}

/* Bits below the prefix must be zero: 10.0.0.1/8 is more likely a slip than a wish. */
static bool is_clean(const struct config_network *network)
{
    for (int bit = network->prefix; bit < ADDRESS_BITS; bit++)
        if (network->address[bit / 8] & (0x80 >> bit % 8))
            return false;
    return true;
}

bool config_parse_network(const char *text, struct config_network *network_out)
{
    struct config_network network = {.prefix = ADDRESS_BITS};
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    char address[INET6_ADDRSTRLEN];
    if (length >= sizeof address)
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!config_parse_address(address, network.address))
        return false;
    if (slash) {
        bool ipv4 = strchr(address, ':') == NULL;
        int64_t prefix;
        if (!text_parse_int64(bytes_of_text(slash + 1), &prefix) || prefix < 0 ||
            prefix > (ipv4 ? IPV4_BITS : ADDRESS_BITS))
            return false;
        network.prefix = (int)prefix + (ipv4 ? ADDRESS_BITS - IPV4_BITS : 0);
    }
    if (!is_clean(&network))
        return false;
    *network_out = network;
    return true;
}

bool config_network_holds(const struct config_network *network, const unsigned char address[16])
{
    /* ::/0 is every IPv6 address: an IPv4 peer is not in it, though it is written as one. */
    if (is_mapped(address) && network->prefix < ADDRESS_BITS - IPV4_BITS)
        return false;
    size_t whole = (size_t)network->prefix / 8;
    if (memcmp(network->address, address, whole) != 0)
        return false;
    int rest = network->prefix % 8;
    if (rest == 0)
        return true;
    unsigned char mask = (unsigned char)(0xff << (8 - rest));
    return ((network->address[whole] ^ address[whole]) & mask) == 0;
}

void config_read_networks(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    void *base)
{
    struct config_proxies *proxies = (void *)((char *)base + key->offset);
    if (!config_is_type(reader, place, JSON_TYPE_ARRAY) || json_count(place->value) == 0)
        return;
    proxies->networks = calloc(json_count(place->value), sizeof *proxies->networks);
    if (!config_have(reader, proxies->networks))
        return;
    size_t index = 0;
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const struct config_place element = config_element(place, index++, value);
        const char *text = config_text_at(reader, &element);
        if (!text)
            continue;
        if (strcmp(text, "unix") == 0)
            proxies->unix_sockets = true;
        else if (config_parse_network(text, &proxies->networks[proxies->count]))
            proxies->count++;
        else
            config_problem(
                reader, &element,
                "\"%s\" is not an address or a network (write it like \"10.0.0.0/8\", \"::1\" or "
                "\"unix\", with no bits set after the prefix)",
                text);
    }
}

/* Splits "host:port" and "[v6]:port"; the host stays where it is. NULL: no such shape. */
static char *split_port(char *text, char **port_out)
{
    char *host = text;
    char *colon = strrchr(text, ':');
    if (!colon)
        return NULL;
    *colon = '\0';
    if (*host == '[') {
        size_t length = strlen(++host);
        if (length == 0 || host[length - 1] != ']')
            return NULL;
        host[length - 1] = '\0';
        if (!strchr(host, ':'))
            return NULL;
    } else if (strchr(host, ':')) {
        return NULL;
    }
    *port_out = colon + 1;
    return host;
}

void config_read_address(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    (void)key;
    struct config_listener *listener = target;
    CLEANUP_FREE char *copy = text_copy(text);
    unsigned char address[16];
    char *port_text = NULL;
    int64_t port;
    if (!config_have(reader, copy))
        return;
    char *host = split_port(copy, &port_text);
    if (!host || !config_parse_address(host, address) ||
        !text_parse_int64(bytes_of_text(port_text), &port) || port < 0 || port > 65535) {
        config_problem(
            reader, place,
            "\"%s\" is not a numeric address with a port (write it like \"127.0.0.1:8080\" or "
            "\"[::1]:8080\")",
            text);
        return;
    }
    listener->address = text_copy(text);
    listener->host = text_copy(host);
    listener->port = (int)port;
    config_have(reader, listener->address);
    config_have(reader, listener->host);
}

void config_read_socket(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    (void)key;
    struct config_listener *listener = target;
    char *path = os_path_join(reader->config->directory, text);
    if (!config_have(reader, path))
        return;
    if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path) {
        config_problem(
            reader, place, "\"%s\" is too long for a Unix socket (it has at most %zu bytes)", path,
            sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
        free(path);
        return;
    }
    listener->unix_path = path;
}
