/* SPDX-License-Identifier: MIT */
/* Writes the documents that are made from tables. Built, never installed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/buffer.h"
#include "callbackd/config.h"
#include "callbackd/metrics.h"

static const struct {
    const char *name;
    int (*write)(struct buffer *out);
} documents[] = {
    {"configuration", config_document},
    {"metrics", metrics_document},
};
enum { DOCUMENTS = sizeof(documents) / sizeof(documents[0]), DOCUMENT_MAX_BYTES = 1024 * 1024 };

int main(int argc, char **argv)
{
    struct buffer text;
    int written = -1;
    buffer_init(&text, DOCUMENT_MAX_BYTES);
    for (size_t i = 0; i < DOCUMENTS && argc == 2; i++)
        if (strcmp(documents[i].name, argv[1]) == 0)
            written = documents[i].write(&text);
    if (written == 0)
        written = fwrite(text.data, 1, text.length, stdout) == text.length ? 0 : -1;
    else
        fputs("Usage: callbackd-document configuration|metrics\n", stderr);
    buffer_fini(&text);
    return written == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
