/* SPDX-License-Identifier: MIT */
/* Input: what a hook wrote. The wait that it asks for is bounded, and its last word counts. */
#include "fuzz.h"

#include "retry_after.h"

static const int64_t now_ms = INT64_C(1750000000000);
static const int64_t max_ms = INT64_C(30) * 24 * 3600 * 1000;

static void check_last_word(const uint8_t *data, size_t size)
{
    static const char last[] = "\nretry-AFTER:  7 \r\nRetry-After: soon\n";
    uint8_t *longer = malloc(size + sizeof last - 1);
    HOLDS(longer != NULL);
    if (size > 0)
        memcpy(longer, data, size);
    memcpy(longer + size, last, sizeof last - 1);
    HOLDS(retry_after_find(bytes_of(longer, size + sizeof last - 1), now_ms) == 7000);
    free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(data, size);
    int64_t wait_ms = retry_after_find(bytes_of(copy, size), now_ms);
    HOLDS(wait_ms >= -1 && wait_ms <= max_ms);
    HOLDS(wait_ms < 0 || (size > 0 && memchr(copy, ':', size) != NULL));
    free(copy);
    check_last_word(data, size);
    return 0;
}
