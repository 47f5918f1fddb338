/* SPDX-License-Identifier: MIT */
/*
 * bench_mark FILE: adds a byte to FILE and ends: `true` that can be counted. What it costs more
 * than /bin/true is a hundredth of what it takes to start either.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int fd = argc == 2 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    return fd >= 0 && write(fd, ".", 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
