/* SPDX-License-Identifier: MIT */
/*
 * Input: lines, each the value of a header: X-Forwarded-For, or Forwarded where the line begins
 * with "F". A stranger is itself, whatever it says; of a trusted proxy the outcome is an address,
 * or nobody; and what the proxy puts behind all that its client sent is what counts.
 */
#include "fuzz.h"

#include <civetweb.h>

#include "client_address.h"
#include "server_private.h"

enum { VALUES_MAX = 16, VALUE_BYTES = 1024 };

static const char proxys_word[] = "192.0.2.7";

struct input {
    struct mg_request_info info;
    char values[VALUES_MAX][VALUE_BYTES + sizeof proxys_word + 16];
};

static char *own(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void read_input(const uint8_t *data, size_t size, struct input *out)
{
    memset(out, 0, sizeof *out);
    for (size_t at = 0; at < size && out->info.num_headers < VALUES_MAX; at++) {
        int number = out->info.num_headers++;
        bool forwarded = data[at] == 'F';
        size_t used = 0;
        at += forwarded;
        for (; at < size && data[at] != '\n'; at++)
            if (used < VALUE_BYTES && data[at] != '\0')
                out->values[number][used++] = (char)data[at];
        out->info.http_headers[number] = (struct mg_header){
            own(forwarded ? "forwarded" : "x-forwarded-for"), out->values[number]};
    }
}

static void resolve(struct input *input, const char *peer, char client[CLIENT_ADDRESS_BYTES])
{
    static struct config_network networks[2];
    const struct config_proxies proxies = {networks, 2, true};
    HOLDS(config_parse_network("127.0.0.1", &networks[0]));
    HOLDS(config_parse_network("10.0.0.0/8", &networks[1]));
    snprintf(input->info.remote_addr, sizeof input->info.remote_addr, "%s", peer);
    const struct http_request request = {.info = &input->info};
    client_address_resolve(&proxies, &request, client);
    HOLDS(memchr(client, '\0', CLIENT_ADDRESS_BYTES) != NULL);
}

static void check_trusted(struct input *input, const char *peer, const char *peer_name)
{
    char client[CLIENT_ADDRESS_BYTES];
    unsigned char address[16];
    resolve(input, peer, client);
    HOLDS(
        config_parse_address(client, address) || strcmp(client, "unknown") == 0 ||
        strcmp(client, peer_name) == 0);
}

/* As a proxy does: behind the last value of that header, or in a header of its own. */
static void add(struct input *input, bool forwarded, bool apart)
{
    const char *name = forwarded ? "forwarded" : "x-forwarded-for";
    char *last = NULL;
    for (int i = 0; i < input->info.num_headers && !apart; i++)
        if (strcmp(input->info.http_headers[i].name, name) == 0)
            last = input->values[i];
    if (!last) {
        int number = input->info.num_headers++;
        last = input->values[number];
        input->info.http_headers[number] = (struct mg_header){own(name), last};
    }
    size_t used = strlen(last);
    snprintf(
        last + used, sizeof input->values[0] - used, "%s%s%s", used > 0 ? ", " : "",
        forwarded ? "for=" : "", proxys_word);
}

static void check_proxys_word(const struct input *given, bool forwarded, bool apart)
{
    static struct input input;
    char client[CLIENT_ADDRESS_BYTES];
    bool has_other = false;
    input = *given;
    if (input.info.num_headers == VALUES_MAX)
        return;
    for (int i = 0; i < input.info.num_headers; i++)
        has_other |= (strcmp(input.info.http_headers[i].name, "forwarded") == 0) != forwarded;
    for (int i = 0; i < input.info.num_headers; i++)
        input.info.http_headers[i].value = input.values[i];
    add(&input, forwarded, apart);
    resolve(&input, "127.0.0.1", client);
    HOLDS(strcmp(client, proxys_word) == 0 || (has_other && strcmp(client, "unknown") == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct input input;
    char client[CLIENT_ADDRESS_BYTES];
    read_input(data, size, &input);
    resolve(&input, "203.0.113.9", client);
    HOLDS(strcmp(client, "203.0.113.9") == 0);
    check_trusted(&input, "127.0.0.1", "127.0.0.1");
    check_trusted(&input, "*", "unix");
    check_proxys_word(&input, false, size % 2 == 0);
    check_proxys_word(&input, true, size % 2 == 0);
    return 0;
}
