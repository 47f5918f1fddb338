/* SPDX-License-Identifier: MIT */
/* Which addresses are of the public internet, and which of this machine or of networks around it.
 */
#ifndef CALLBACKD_OUTGOING_PUBLIC_ADDRESS_H
#define CALLBACKD_OUTGOING_PUBLIC_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* false for loopback, private, shared (100.64.0.0/10), link-local, multicast, reserved and
 * documentation addresses, and for all that is neither IPv4 nor IPv6. An IPv6 address that stands
 * for an IPv4 one is what that is. */
bool address_is_public(const struct sockaddr *address);
/* The same for one in numbers; false when it is none. */
bool address_text_is_public(const char *text);

#endif
