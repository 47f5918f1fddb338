/* SPDX-License-Identifier: MIT */
/*
 * Before civetweb.c in its unit. Behind the request line, and between its words, it skips all white
 * space and leaves no trace of what it was: LF and a blank would pass for CR LF. Nothing but LF is
 * white space to it here; the guard (framing.c) refuses what then is at another place.
 */
#ifndef CALLBACKD_HTTP_STRICT_SPACE_H
#define CALLBACKD_HTTP_STRICT_SPACE_H

/* What declares the original comes first. */
#include <ctype.h>

#undef isspace
#define isspace(c) ((c) == '\n')

#endif
