/* SPDX-License-Identifier: MIT */
/* "ip-allow": the client's address, resolved across trusted proxies, is in one of the networks. */
#include "scheme_keys.h"

int scheme_ip_allow_check_head(
    const void *state, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    (void)outcome;
    const struct config_proxies *allowed =
        &((const struct scheme_options *)state)->config->networks;
    const char *client = request->client_address ? request->client_address : "unknown";
    unsigned char address[16];
    if (allowed->unix_sockets && strcmp(client, "unix") == 0)
        return 0;
    if (config_parse_address(client, address))
        for (size_t i = 0; i < allowed->count; i++)
            if (config_network_holds(&allowed->networks[i], address))
                return 0;
    return error_set(error, ERROR_FORBIDDEN, "%s is in none of the networks", client);
}
