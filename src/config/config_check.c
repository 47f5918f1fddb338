/* SPDX-License-Identifier: MIT */
/* What must hold between parts of the file: names that are taken, and names that are used. */
#include "config_private.h"

#include "callbackd/text.h"

/* The texts that must differ, one for each element of a list; NULL where there is none. */
typedef const char *text_of(const struct config *config, size_t index);

static const char *endpoint_name(const struct config *config, size_t index)
{
    return config->endpoints[index].name;
}

static const char *endpoint_path(const struct config *config, size_t index)
{
    return config->endpoints[index].path;
}

static const char *hook_name(const struct config *config, size_t index)
{
    return config->hooks[index].name;
}

/* Two listeners with port 0 get two ports. */
static const char *listener_name(const struct config *config, size_t index)
{
    const struct config_listener *listener = &config->listeners[index];
    if (listener->unix_path)
        return listener->unix_path;
    return listener->port == 0 ? NULL : listener->address;
}

static struct config_place file_place(const struct config_reader *reader)
{
    return (struct config_place){.value = json_root(reader->document)};
}

/* The first element before `index` with the same text; `index` itself when there is none. */
static size_t first_like(const struct config *config, text_of *text, size_t index)
{
    const char *sought = text(config, index);
    for (size_t i = 0; sought && i < index; i++) {
        const char *other = text(config, i);
        if (other && strcmp(other, sought) == 0)
            return i;
    }
    return index;
}

/* Calls `check` with the place of every element of a list of the file. */
static void each_element(
    struct config_reader *reader, const char *name,
    void (*check)(
        struct config_reader *reader, const struct config_place *element, size_t index,
        const void *context),
    const void *context)
{
    const struct config_place file = file_place(reader);
    const struct config_place list = config_member(&file, name);
    size_t index = 0;
    for (const struct json *value = json_first(list.value); value; value = json_next(value)) {
        const struct config_place element = config_element(&list, index, value);
        check(reader, &element, index++, context);
    }
}

struct unique {
    const char *list;   /* "endpoints" */
    const char *member; /* "name"; NULL: the element itself is meant */
    text_of *text;
};

static void check_unique(
    struct config_reader *reader, const struct config_place *element, size_t index,
    const void *context)
{
    const struct unique *unique = context;
    size_t first = first_like(reader->config, unique->text, index);
    if (first == index)
        return;
    const struct config_place member =
        unique->member ? config_member(element, unique->member) : *element;
    config_problem(
        reader, &member, "\"%s\" is taken by %s[%zu] (choose another)",
        unique->text(reader->config, index), unique->list, first);
}

/* "/a" of "/a/b": the token of the one would be the path of the other. */
static bool is_beginning(const char *shorter, const char *longer)
{
    size_t length = strlen(shorter);
    return strncmp(shorter, longer, length) == 0 && longer[length] == '/';
}

static void check_path(
    struct config_reader *reader, const struct config_place *element, size_t index,
    const void *context)
{
    (void)context;
    static const char *const ours[] = {"/healthz", "/readyz"};
    const char *path = endpoint_path(reader->config, index);
    const struct config_place place = config_member(element, "path");
    if (!path)
        return;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (strcmp(path, ours[i]) == 0 || is_beginning(ours[i], path))
            config_problem(reader, &place, "%s answers probes (choose another path)", ours[i]);
    for (size_t i = 0; i < reader->config->endpoint_count; i++) {
        const char *other = endpoint_path(reader->config, i);
        if (other && is_beginning(other, path))
            config_problem(
                reader, &place,
                "\"%s\" lies below the path \"%s\" of endpoints[%zu] (give them paths of which "
                "none is the beginning of the other)",
                path, other, i);
    }
}

static void check_run_token(
    struct config_reader *reader, const struct config_place *element, size_t index,
    const void *context)
{
    (void)context;
    const struct config_endpoint *endpoint = &reader->config->endpoints[index];
    const struct config_place file = file_place(reader);
    const struct config_place section = config_member(&file, "run_token");
    if (config_is_given(&section, "key_file"))
        return;
    const struct config_place list = config_member(element, "verify");
    for (size_t i = 0; i < endpoint->verify_count; i++)
        if (endpoint->verify[i].scheme && strcmp(endpoint->verify[i].scheme, "run-token") == 0)
            config_problem(
                reader, &list,
                "the scheme run-token needs a key (set run_token.key_file to a file with 32 "
                "random bytes)");
}

/* An address that a listener has, the admin listener cannot have too. */
static void check_admin(struct config_reader *reader)
{
    const struct config_listener *admin = &reader->config->admin.listener;
    const char *name = admin->unix_path   ? admin->unix_path
                       : admin->port != 0 ? admin->address
                                          : NULL;
    const struct config_place file = file_place(reader);
    const struct config_place section = config_member(&file, "admin");
    const struct config_place place =
        config_member(&section, admin->unix_path ? "unix" : "address");
    for (size_t i = 0; name && i < reader->config->listener_count; i++) {
        const char *other = listener_name(reader->config, i);
        if (other && strcmp(other, name) == 0)
            config_problem(
                reader, &place, "\"%s\" is taken by listen[%zu] (choose another)", name, i);
    }
}

void config_check_endpoint(
    struct config_reader *reader, const struct config_place *place, const char *name)
{
    const struct config *config = reader->config;
    const char *nearest = NULL;
    if (!name)
        return;
    for (size_t i = 0; i < config->endpoint_count; i++) {
        const char *known = config->endpoints[i].name;
        if (!known || strcmp(known, name) == 0)
            return; /* found; or it may be the one whose name is at fault */
        if (!nearest || text_distance(known, name) < text_distance(nearest, name))
            nearest = known;
    }
    if (nearest)
        config_problem(
            reader, place, "there is no endpoint \"%s\" (did you mean \"%s\"?)", name, nearest);
}

/* Who is told of dead jobs is one that takes them. */
static void check_on_dead(
    struct config_reader *reader, const struct config_place *element, size_t index,
    const void *context)
{
    (void)context;
    const char *name = reader->config->hooks[index].on_dead;
    const struct config_place place = config_member(element, "on_dead");
    if (!name)
        return;
    const struct config_hook *told = config_hook(reader->config, name);
    if (!told)
        config_problem(reader, &place, "there is no hook \"%s\" (name one of \"hooks\")", name);
    else if (told->takes != TAKES_DEAD)
        config_problem(
            reader, &place, "the hook \"%s\" takes results (give it \"takes\": \"dead\")", name);
}

void config_check(struct config_reader *reader)
{
    static const struct unique uniques[] = {
        {"listen", NULL, listener_name},
        {"endpoints", "name", endpoint_name},
        {"endpoints", "path", endpoint_path},
        {"hooks", "name", hook_name},
    };
    const struct config *config = reader->config;
    if (config->listener_count > 0)
        each_element(reader, "listen", check_unique, &uniques[0]);
    if (config->endpoint_count > 0) {
        each_element(reader, "endpoints", check_unique, &uniques[1]);
        each_element(reader, "endpoints", check_unique, &uniques[2]);
        each_element(reader, "endpoints", check_path, NULL);
        each_element(reader, "endpoints", check_run_token, NULL);
    }
    if (config->hook_count > 0) {
        each_element(reader, "hooks", check_unique, &uniques[3]);
        each_element(reader, "hooks", check_on_dead, NULL);
    }
    check_admin(reader);
}
