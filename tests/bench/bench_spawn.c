/* SPDX-License-Identifier: MIT */
/*
 * bench_spawn SECONDS: what nobody who runs a command and waits for it can do faster: posix_spawn
 * of /bin/true and waitpid, in a loop. Prints how many a second.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "callbackd/clock.h"

static char program[] = "/bin/true";

int main(int argc, char **argv)
{
    char *arguments[] = {program, NULL};
    char *environment[] = {NULL};
    double seconds = argc == 2 ? strtod(argv[1], NULL) : 0;
    if (seconds <= 0) {
        fprintf(stderr, "usage: bench_spawn SECONDS\n");
        return 64;
    }
    int64_t start_ns = clock_monotonic_ns();
    int64_t end_ns = start_ns + (int64_t)(seconds * 1e9);
    int64_t count = 0;
    int64_t now_ns = start_ns;
    for (; now_ns < end_ns; now_ns = clock_monotonic_ns(), count++) {
        pid_t pid;
        if (posix_spawn(&pid, program, NULL, NULL, arguments, environment) != 0 ||
            waitpid(pid, NULL, 0) != pid)
            return EXIT_FAILURE;
    }
    printf("%.1f\n", (double)count * 1e9 / (double)(now_ns - start_ns));
    return EXIT_SUCCESS;
}
