/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "callbackd/os.h"
#include "engine_private.h"
#include "http_hook.h"
#include "stream.h"
#include "template.h"

enum { RATE_TEXT_BYTES_MAX = 4096 };

static int check_templates(const struct config_hook *hook, struct error *error)
{
    for (size_t i = 0; hook->command && hook->command[i]; i++) {
        if (template_check(hook->command[i], error) != 0)
            return error_prefix(error, "hook %s: argument %zu", hook->name, i);
    }
    for (size_t i = 0; i < hook->http.header_count; i++) {
        const struct config_variable *header = &hook->http.headers[i];
        if (template_check(header->value, error) != 0)
            return error_prefix(error, "hook %s: header %s", hook->name, header->name);
    }
    return 0;
}

static void add_limit(struct spawn_nature *nature, int resource, int64_t value)
{
    nature->limits[nature->limit_count++] = (struct spawn_limit){resource, (rlim_t)value};
}

static void take_limits(struct spawn_nature *nature, const struct config_hook_limits *limits)
{
    enum { MS_PER_S = 1000 };
    if (limits->cpu_ms > 0)
        add_limit(nature, RLIMIT_CPU, (limits->cpu_ms + MS_PER_S - 1) / MS_PER_S);
    if (limits->memory_bytes > 0)
        add_limit(nature, RLIMIT_AS, limits->memory_bytes);
    if (limits->file_bytes > 0)
        add_limit(nature, RLIMIT_FSIZE, limits->file_bytes);
    if (limits->open_files > 0)
        add_limit(nature, RLIMIT_NOFILE, limits->open_files);
    if (limits->processes > 0)
        add_limit(nature, RLIMIT_NPROC, limits->processes);
    add_limit(nature, RLIMIT_CORE, limits->core_bytes);
}

static int take_nature(struct hook_slot *slot, struct error *error)
{
    const struct config_hook *hook = slot->hook;
    slot->nature = (struct spawn_nature){.mode_mask = hook->mode_mask, .nice = hook->nice};
    take_limits(&slot->nature, &hook->limits);
    if (!hook->user && !hook->group)
        return 0;
    if (os_identity_find(hook->user, hook->group, &slot->identity, error) != 0)
        return error_prefix(error, "hook %s", hook->name);
    slot->nature.identity = &slot->identity;
    return 0;
}

static int make_stream(struct hook_slot *slot, const struct config *config, struct error *error)
{
    const struct config_hook *hook = slot->hook;
    const char *directory = hook->directory ? hook->directory : config->directory;
    if (hook->mode != MODE_STREAM)
        return 0;
    slot->stream = stream_new(hook, directory, &slot->nature, error);
    return slot->stream ? 0 : error_prefix(error, "hook %s", hook->name);
}

static const struct running_kind *kind_of(const struct config_hook *hook)
{
    if (hook->http.enabled)
        return &running_http;
    return hook->mode == MODE_STREAM ? &running_stream : &running_command;
}

int slots_make(const struct config *config, struct hook_slot **slots_out, struct error *error)
{
    /* One more than needed, for calloc(0) may give NULL. */
    struct hook_slot *slots = calloc(config->hook_count + 1, sizeof(*slots));
    if (!slots)
        return error_set(error, ERROR_MEMORY, "no memory for the hooks");
    for (size_t i = 0; i < config->hook_count; i++) {
        slots[i].hook = &config->hooks[i];
        slots[i].kind = kind_of(&config->hooks[i]);
        rate_init(&slots[i].rate, config->hooks[i].rate);
        if (check_templates(&config->hooks[i], error) == 0 && take_nature(&slots[i], error) == 0 &&
            make_stream(&slots[i], config, error) == 0)
            slots[i].matcher = hook_matcher_new(&config->hooks[i], error);
        if (!slots[i].matcher) {
            slots_free(slots, i + 1);
            if (error)
                error->code = ERROR_CONFIG;
            return -1;
        }
    }
    *slots_out = slots;
    return 0;
}

void slots_free(struct hook_slot *slots, size_t count)
{
    for (size_t i = 0; slots && i < count; i++) {
        hook_matcher_free(slots[i].matcher);
        stream_free(slots[i].stream);
        os_identity_fini(&slots[i].identity);
    }
    free(slots);
}

struct hook_slot *slots_find(struct hook_slot *slots, size_t count, const char *hook)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(slots[i].hook->name, hook) == 0)
            return &slots[i];
    }
    return NULL;
}

/* ---- rates ---- */

static int load_rates(struct state_tx *tx, void *context, struct error *error)
{
    struct hook_engine *engine = context;
    for (size_t i = 0; i < engine->slot_count; i++) {
        struct hook_slot *slot = &engine->slots[i];
        if (slot->rate.allowed.limit == 0)
            continue;
        CLEANUP_BUFFER struct buffer text;
        buffer_init(&text, RATE_TEXT_BYTES_MAX);
        if (state_hook_starts(tx, slot->hook->name, &text, error) != 0)
            return -1;
        rate_read(&slot->rate, buffer_text(&text));
    }
    return 0;
}

int slots_load_rates(struct hook_engine *engine, struct error *error)
{
    return state_read(engine->state, load_rates, engine, error);
}

int slots_save_rates(struct state_tx *tx, const struct queue_round *round, struct error *error)
{
    const struct hook_engine *engine = round->engine;
    for (size_t i = 0; i < engine->slot_count; i++) {
        const struct hook_slot *slot = &engine->slots[i];
        if (slot->rate.allowed.limit == 0 || slot->picked == 0)
            continue;
        struct rate rate = slot->rate;
        CLEANUP_BUFFER struct buffer text;
        buffer_init(&text, RATE_TEXT_BYTES_MAX);
        rate_take(&rate, round->now_ms, slot->picked);
        rate_write(&rate, &text);
        if (state_hook_set_starts(tx, slot->hook->name, buffer_text(&text), error) != 0)
            return -1;
    }
    return 0;
}

void slots_keep_rates(
    struct hook_slot *slots, size_t count, struct hook_slot *old, size_t old_count)
{
    for (size_t i = 0; i < count; i++) {
        const struct hook_slot *before = slots_find(old, old_count, slots[i].hook->name);
        struct config_rate allowed = slots[i].rate.allowed;
        if (!before || before->rate.allowed.period_ms != allowed.period_ms)
            continue;
        slots[i].rate = before->rate;
        slots[i].rate.allowed = allowed;
    }
}
