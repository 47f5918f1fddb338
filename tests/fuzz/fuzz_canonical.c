/* SPDX-License-Identifier: MIT */
/* Input: JSON, or not. What is written as Python does is JSON again (but for its infinities), and
 * is written in the same way again. */
#include "fuzz.h"

#include "callbackd/canonical.h"

static bool rebuild(struct bytes text, enum canonical_form form, struct buffer *out)
{
    struct error error = {0};
    buffer_init(out, canonical_bytes_max(text.length));
    if (canonical_json(text, form, out, &error) == 0)
        return true;
    HOLDS(error.code == ERROR_INVALID || error.code == ERROR_TOO_LARGE);
    HOLDS(error.message[0] != '\0');
    return false;
}

static bool has_infinity(const struct buffer *text)
{
    return strstr(buffer_text(text), "Infinity") != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(data, size);
    struct bytes text = bytes_of(copy, size);
    struct buffer python;
    struct buffer again;
    struct buffer javascript;
    bool taken = rebuild(text, CANONICAL_PYTHON, &python);
    if (taken && !has_infinity(&python) && python.length <= CANONICAL_BYTES_MAX) {
        HOLDS(rebuild(buffer_bytes(&python), CANONICAL_PYTHON, &again));
        HOLDS(bytes_equal(buffer_bytes(&python), buffer_bytes(&again)));
        buffer_fini(&again);
    }
    /* JavaScript takes all that Python takes; Python refuses only integers that are too long. */
    HOLDS(rebuild(text, CANONICAL_JAVASCRIPT, &javascript) || !taken);
    buffer_fini(&javascript);
    buffer_fini(&python);
    free(copy);
    return 0;
}
