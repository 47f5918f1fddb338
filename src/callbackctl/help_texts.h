/* SPDX-License-Identifier: MIT */
/* What help and man page say beside the table of verbs. */
#ifndef CALLBACKCTL_HELP_TEXTS_H
#define CALLBACKCTL_HELP_TEXTS_H

struct help_variable {
    const char *name; /* of the environment; NULL ends the table */
    const char *summary;
};

extern const char help_introduction[];
extern const struct help_variable help_variables[];

#endif
