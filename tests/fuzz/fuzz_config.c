/* SPDX-License-Identifier: MIT */
/*
 * Input: the text of a configuration, or a pack of one. No file is opened. Whatever it is, it is
 * taken or there is a problem with a line of the text and something to print; and what is taken
 * is the same after it was packed and unpacked.
 */
#include "fuzz.h"

#include "config_private.h"

static const char pack_start[] = "callbackd configuration 1\n";

static void check_problems(const struct config_problems *problems, const char *text)
{
    int lines = 1;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *problem = &problems->items[i];
        HOLDS(problem->line >= 0 && problem->line <= lines);
        HOLDS(i == 0 || problems->items[i - 1].line <= problem->line);
        HOLDS(problem->text[0] != '\0');
        for (const char *c = problem->text; *c; c++)
            HOLDS((unsigned char)*c >= ' ' && *c != 0x7f);
        for (const char *c = problem->key; *c; c++)
            HOLDS((unsigned char)*c >= ' ' && *c != 0x7f);
    }
}

static void check_round_trip(const struct config *config)
{
    struct buffer packed;
    struct buffer again;
    struct error error;
    buffer_init_secret(&packed, 1 << 24);
    buffer_init_secret(&again, 1 << 24);
    HOLDS(config_pack(config, CONFIG_ROLE_ALL, &packed, &error) == 0);
    struct config *unpacked = config_unpack(buffer_bytes(&packed), &error);
    HOLDS(unpacked != NULL);
    HOLDS(config_pack(unpacked, CONFIG_ROLE_ALL, &again, &error) == 0);
    HOLDS(bytes_equal(buffer_bytes(&packed), buffer_bytes(&again)));
    config_free(unpacked);
    buffer_fini(&packed);
    buffer_fini(&again);
}

static void check_text(struct bytes text)
{
    /* No role: no secret is needed, and none is looked for. */
    const struct packed_secrets none = {0};
    struct config_problems problems = {0};
    struct config *config = config_new("/etc/callbackd/callbackd.json", text);
    HOLDS(config != NULL);
    int result = config_parse(config, &none, NULL, &problems);
    HOLDS((result == 0) == (problems.count == 0));
    check_problems(&problems, config->text);
    if (result == 0)
        check_round_trip(config);
    config_problems_free(&problems);
    config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(data, size);
    struct bytes input = bytes_of(copy, size);
    size_t start = strlen(pack_start);
    if (size >= start && memcmp(copy, pack_start, start) == 0) {
        struct error error;
        struct config *config = config_unpack(input, &error);
        if (config)
            check_round_trip(config);
        config_free(config);
    } else {
        check_text(input);
    }
    free(copy);
    return 0;
}
