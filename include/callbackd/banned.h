/* SPDX-License-Identifier: MIT */
/*
 * Calls that are never right here: unbounded, locale-dependent, not reporting
 * errors, or starting a shell. Included before every file of ours by the build.
 */
#ifndef CALLBACKD_BANNED_H
#define CALLBACKD_BANNED_H

/* The headers that declare them come first, or the poison would hit those. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* glibc makes macros of these for clang with _FORTIFY_SOURCE; a macro cannot be poisoned. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets
#pragma GCC poison atoi atol atoll system popen

#endif
