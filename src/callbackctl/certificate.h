/* SPDX-License-Identifier: MIT */
/*
 * A self-signed certificate for trying things out: ECDSA P-256, for the loopback
 * names and one more host. Threads: any.
 */
#ifndef CALLBACKCTL_CERTIFICATE_H
#define CALLBACKCTL_CERTIFICATE_H

#include "callbackd/buffer.h"
#include "callbackd/error.h"

/* Appends certificate and key as PEM. `host` is a name or a numeric address; NULL: none but
 * localhost, 127.0.0.1 and ::1. */
int certificate_make(
    const char *host, struct buffer *certificate_out, struct buffer *key_out, struct error *error);

#endif
