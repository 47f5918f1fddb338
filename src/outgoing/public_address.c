/* SPDX-License-Identifier: MIT */
#include "public_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

struct network4 {
    uint32_t address;
    int prefix;
};

#define V4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

/* IANA's registry of special-purpose addresses, and multicast. */
static const struct network4 not_public4[] = {
    {V4(0, 0, 0, 0), 8},      {V4(10, 0, 0, 0), 8},     {V4(100, 64, 0, 0), 10},
    {V4(127, 0, 0, 0), 8},    {V4(169, 254, 0, 0), 16}, {V4(172, 16, 0, 0), 12},
    {V4(192, 0, 0, 0), 24},   {V4(192, 0, 2, 0), 24},   {V4(192, 88, 99, 0), 24},
    {V4(192, 168, 0, 0), 16}, {V4(198, 18, 0, 0), 15},  {V4(198, 51, 100, 0), 24},
    {V4(203, 0, 113, 0), 24}, {V4(224, 0, 0, 0), 4},    {V4(240, 0, 0, 0), 4},
};

struct prefix6 {
    unsigned char bytes[16];
    int bits;
};

/* Of 2000::/3, the only one that is given out: protocols (Teredo too), documentation. */
static const struct prefix6 not_public6[] = {
    {{0x20, 0x01}, 23},
    {{0x20, 0x01, 0x0d, 0xb8}, 32},
    {{0x3f, 0xff}, 20},
};

/* What stands for an IPv4 address, and where in it that is. */
static const struct {
    struct prefix6 prefix;
    int at;
} embedding[] = {
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, 12}, /* mapped */
    {{{0, 0x64, 0xff, 0x9b}, 96}, 12},                      /* NAT64 */
    {{{0x20, 0x02}, 16}, 2},                                /* 6to4 */
};

static bool is_public4(uint32_t address)
{
    for (size_t i = 0; i < sizeof not_public4 / sizeof not_public4[0]; i++)
        if ((address ^ not_public4[i].address) >> (32 - not_public4[i].prefix) == 0)
            return false;
    return true;
}

static bool begins_with(const unsigned char address[16], const struct prefix6 *prefix)
{
    size_t whole = (size_t)prefix->bits / 8;
    int rest = prefix->bits % 8;
    return memcmp(address, prefix->bytes, whole) == 0 &&
           (rest == 0 || (address[whole] ^ prefix->bytes[whole]) >> (8 - rest) == 0);
}

static bool is_public6(const unsigned char address[16])
{
    static const struct prefix6 given_out = {{0x20}, 3};
    for (size_t i = 0; i < sizeof embedding / sizeof embedding[0]; i++) {
        const unsigned char *inner = address + embedding[i].at;
        if (begins_with(address, &embedding[i].prefix))
            return is_public4(V4(inner[0], inner[1], inner[2], inner[3]));
    }
    for (size_t i = 0; i < sizeof not_public6 / sizeof not_public6[0]; i++)
        if (begins_with(address, &not_public6[i]))
            return false;
    return begins_with(address, &given_out);
}

bool address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in inet;
        memcpy(&inet, address, sizeof inet);
        return is_public4(ntohl(inet.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 inet6;
        memcpy(&inet6, address, sizeof inet6);
        return is_public6(inet6.sin6_addr.s6_addr);
    }
    return false;
}

bool address_text_is_public(const char *text)
{
    struct in_addr inet;
    struct in6_addr inet6;
    if (inet_pton(AF_INET, text, &inet) == 1)
        return is_public4(ntohl(inet.s_addr));
    return inet_pton(AF_INET6, text, &inet6) == 1 && is_public6(inet6.s6_addr);
}
