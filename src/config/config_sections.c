/* SPDX-License-Identifier: MIT */
/* What must hold inside one object: looked at when its members were read. */
#include "config_private.h"

#include <grp.h>

#include "callbackd/json_scan.h"
#include "callbackd/text.h"

/* ---- listeners ---- */

static void check_group(
    struct config_reader *reader, const struct config_place *place, const char *group)
{
    if (!group || !config_looks_around(reader))
        return;
    struct group entry;
    struct group *found = NULL;
    char space[16384];
    if (getgrnam_r(group, &entry, space, sizeof space, &found) == 0 && found)
        return;
    const struct config_place group_place = config_member(place, "group");
    config_problem(
        reader, &group_place,
        "there is no group \"%s\" on this machine (create it, or use another)", group);
}

void config_finish_listener(
    struct config_reader *reader, const struct config_place *place, void *target)
{
    const struct config_listener *listener = target;
    bool address = config_is_given(place, "address");
    bool socket = config_is_given(place, "unix");
    if (address && socket)
        config_problem(
            reader, place, "has both an \"address\" and a \"unix\" socket (make two of it)");
    else if (!address && !socket)
        config_problem(
            reader, place, "has no address (give it \"address\": \"127.0.0.1:8080\" or \"unix\")");
    check_group(reader, place, listener->group);
}

static bool is_loopback(const char *host)
{
    static const char *const loopbacks[] = {"127.0.0.0/8", "::1"};
    unsigned char address[16];
    if (!config_parse_address(host, address))
        return false;
    for (size_t i = 0; i < sizeof loopbacks / sizeof loopbacks[0]; i++) {
        struct config_network network;
        if (config_parse_network(loopbacks[i], &network) && config_network_holds(&network, address))
            return true;
    }
    return false;
}

void config_finish_admin(
    struct config_reader *reader, const struct config_place *place, void *target)
{
    struct config_admin *admin = target;
    const struct config_listener *listener = &admin->listener;
    config_finish_listener(reader, place, &admin->listener);
    if (!listener->host || listener->tls.enabled || admin->allow_plaintext ||
        is_loopback(listener->host))
        return;
    const struct config_place address_place = config_member(place, "address");
    config_problem(
        reader, &address_place,
        "\"%s\" is not on loopback, and without TLS tokens can be overheard (give it \"tls\", or "
        "127.0.0.1, or set \"allow_plaintext\": true)",
        listener->address);
}

/* ---- limits and retries ---- */

void config_finish_limits(
    struct config_reader *reader, const struct config_place *place, void *target)
{
    const struct config_limits *limits = target;
    if (limits->bodies_in_flight_bytes == 0 || limits->bodies_in_flight_bytes >= limits->body_bytes)
        return;
    char body[32];
    config_format_size(limits->body_bytes, body, sizeof body);
    bool given = config_is_given(place, "bodies_in_flight");
    const struct config_place member = config_member(place, given ? "bodies_in_flight" : "body");
    config_problem(
        reader, &member,
        "the largest body (%s) would not fit into limits.bodies_in_flight (make that at least as "
        "large)",
        body);
}

void config_finish_retry(
    struct config_reader *reader, const struct config_place *place, void *target)
{
    const struct config_retry *retry = target;
    /* 0 is no max_delay that can be written: it was refused already. */
    if (retry->max_delay_ms == 0 || retry->first_delay_ms <= retry->max_delay_ms)
        return;
    bool given = config_is_given(place, "max_delay");
    const struct config_place member = config_member(place, given ? "max_delay" : "first_delay");
    char first[32];
    char most[32];
    text_format_duration(retry->first_delay_ms, first, sizeof first);
    text_format_duration(retry->max_delay_ms, most, sizeof most);
    config_problem(
        reader, &member,
        "first_delay (%s) is longer than max_delay (%s) (make max_delay the longer one)", first,
        most);
}

/* ---- endpoints ---- */

static void check_pointer(
    struct config_reader *reader, const struct config_place *place, const char *name,
    enum body_kind kind, const char *pointer)
{
    if (!pointer)
        return;
    const struct config_place member = config_member(place, name);
    if (kind != BODY_JSON && kind != BODY_FORM)
        config_problem(
            reader, &member, "is for the kinds json and form only; a %s has its own (remove it)",
            body_kind_name(kind));
    else if (kind == BODY_JSON && (*pointer != '/' || !json_pointer_is_valid(pointer)))
        config_problem(
            reader, &member, "\"%s\" is not a JSON pointer (write it like \"/event/id\")", pointer);
}

static bool has_scheme(const struct config_endpoint *endpoint, size_t end, const char *scheme)
{
    for (size_t i = 0; i < end; i++)
        if (endpoint->verify[i].scheme && strcmp(endpoint->verify[i].scheme, scheme) == 0)
            return true;
    return false;
}

/* To hold a scheme twice is to hold it once: a slip, if not a misunderstanding. */
static void check_schemes(
    struct config_reader *reader, const struct config_place *place,
    const struct config_endpoint *endpoint)
{
    const struct config_place list = config_member(place, "verify");
    size_t index = 0;
    for (const struct json *value = json_first(list.value); value; value = json_next(value)) {
        const char *scheme = index < endpoint->verify_count ? endpoint->verify[index].scheme : NULL;
        const struct config_place element = config_element(&list, index, value);
        if (scheme && has_scheme(endpoint, index, scheme))
            config_problem(
                reader, &element,
                "names the scheme %s again (every scheme must hold: once is "
                "enough)",
                scheme);
        index++;
    }
}

void config_finish_endpoint(
    struct config_reader *reader, const struct config_place *place, void *target)
{
    const struct config_endpoint *endpoint = target;
    const char *kind_text = json_get_text(json_get(place->value, "kind"));
    enum body_kind kind;
    if (kind_text && !body_kind_parse(kind_text, &kind))
        return; /* said already, and what follows would be guesses */
    check_pointer(reader, place, "id", endpoint->kind, endpoint->id_pointer);
    check_pointer(reader, place, "status", endpoint->kind, endpoint->status_pointer);
    check_schemes(reader, place, endpoint);
}
