/* SPDX-License-Identifier: MIT */
/* One call of callbackctl: read the command line, run the verb, say how it ended. */
#ifndef CALLBACKCTL_PROGRAM_H
#define CALLBACKCTL_PROGRAM_H

/* The exit status. The main thread only: it reads the command line with getopt_long. */
int program_run(int argc, char **argv);

#endif
