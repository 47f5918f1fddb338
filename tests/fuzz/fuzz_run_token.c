/* SPDX-License-Identifier: MIT */
/*
 * Input: a token, and at once the run and the expiry of another one. No input is believed that
 * was not signed here; what is signed here is believed until it expires, for its endpoint alone,
 * and with any one bit changed by nobody.
 */
#include "fuzz.h"

#include "callbackd/verify.h"

enum { EXPIRY_BYTES = 8 };

static unsigned char key[] = "the key of the fuzz target";
static unsigned char old_key[] = "the key before it";

static bool believes(const char *endpoint, struct bytes token, int64_t now_s, struct id *run_out)
{
    struct config_secret items[] = {{key, sizeof key}, {old_key, sizeof old_key}};
    const struct config_secrets keys = {items, 2};
    struct error error = {0};
    if (run_token_verify(&keys, endpoint, token, now_s, run_out, &error) == 0)
        return true;
    HOLDS(error.code == ERROR_UNAUTHORIZED && error.message[0] != '\0');
    return false;
}

static void check_minted(const struct id *run, int64_t expires_at_s, size_t choice)
{
    struct config_secret items[] = {
        {choice & 1 ? key : old_key, choice & 1 ? sizeof key : sizeof old_key}};
    const struct config_secrets keys = {items, 1};
    char token[RUN_TOKEN_TEXT_BYTES];
    struct error error;
    struct id found;
    int minted = run_token_mint(&keys, "results", run, expires_at_s, token, &error);
    HOLDS((minted == 0) == (expires_at_s >= 0));
    if (minted != 0)
        return;
    struct bytes text = bytes_of_text(token);
    HOLDS(text.length == RUN_TOKEN_TEXT_LENGTH);
    HOLDS(believes("results", text, expires_at_s - 1, &found) == (expires_at_s > 0));
    HOLDS(expires_at_s == 0 || id_equal(&found, run));
    HOLDS(!believes("results", text, expires_at_s, &found));
    HOLDS(!believes("other", text, 0, &found));
    token[(choice >> 1) % RUN_TOKEN_TEXT_LENGTH] ^= (char)(1 << (choice >> 8) % 8);
    HOLDS(!believes("results", text, 0, &found));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(data, size);
    struct id run;
    HOLDS(!believes("results", bytes_of(copy, size), 0, &run));
    free(copy);
    if (size < ID_BYTES + EXPIRY_BYTES)
        return 0;
    uint64_t expiry;
    memcpy(run.bytes, data, ID_BYTES);
    memcpy(&expiry, data + ID_BYTES, EXPIRY_BYTES);
    check_minted(&run, (int64_t)expiry, fuzz_choice(data, size, 1));
    return 0;
}
