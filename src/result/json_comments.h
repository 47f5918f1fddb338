/* SPDX-License-Identifier: MIT */
#ifndef CALLBACKD_RESULT_JSON_COMMENTS_H
#define CALLBACKD_RESULT_JSON_COMMENTS_H

#include <stdbool.h>
#include <stddef.h>

/* Writes blanks over comments outside of strings, so that every other byte keeps its place and
 * every line its number. false: a comment that begins at *open_out has no end. */
bool json_blank_comments(char *text, size_t length, size_t *open_out);

#endif
