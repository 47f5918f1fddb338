/* SPDX-License-Identifier: MIT */
/* The worker of bench_streams: says "ok" to every job, as the example of docs/STREAM_HOOKS.md does.
 */
#include <stdio.h>
#include <stdlib.h>

enum { ID_AT = 8 }; /* a line begins with {"job":" */

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        printf("{\"job\":\"%.36s\",\"status\":\"ok\"}\n", line + ID_AT);
        fflush(stdout);
    }
    free(line);
    return 0;
}
