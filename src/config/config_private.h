/* SPDX-License-Identifier: MIT */
/*
 * Inside the config room: the state of one reading, places for messages, and the
 * readers of the single kinds of value. A reader reports problems and goes on;
 * what it could not read stays as it was (zero).
 *
 * Threads: a reader belongs to one. Readers borrow the document and the places.
 */
#ifndef CALLBACKD_CONFIG_PRIVATE_H
#define CALLBACKD_CONFIG_PRIVATE_H

#include "callbackd/config.h"
#include "callbackd/json.h"
#include "config_keys.h"

enum {
    CONFIG_TEXT_MAX = 4 << 20,
    CONFIG_SECRET_MAX = 1 << 20,
    CONFIG_PLACE_MAX = 2048 /* the printed form of a place */
};

/* Where in the file: a chain from a member up to the file, whose place is the root's. */
struct config_place {
    const struct config_place *parent; /* NULL: the file */
    const char *name;                  /* NULL: an element */
    size_t index;                      /* of an element */
    const struct json *value;          /* NULL: absent */
};

/* The secrets of a pack, keyed by the printed place: "admin.token_file[0]". */
struct packed_secret {
    struct bytes place;
    struct bytes value;
};
struct packed_secrets {
    struct packed_secret *items;
    size_t count;
    enum config_role role;
};

struct config_reader {
    struct config *config;
    const struct json_document *document;
    struct config_problems *problems;
    const struct packed_secrets *packed; /* NULL: secrets come from where the text says */
    const char *const *wanted; /* patterns of the secrets to read, NULL ends; NULL: all of them */
    bool memory_short;
};

/* A configuration that knows its path and text, and nothing else. NULL: memory is short, or there
 * is no current directory. */
struct config *config_new(const char *path, struct bytes text);
/* Reads config->text into `config`. -1: there are problems. `packed` and `wanted`: the reader's. */
int config_parse(
    struct config *config, const struct packed_secrets *packed, const char *const *wanted,
    struct config_problems *problems);
/* Is all looked at that the text names: programs, folders, groups, certificates? */
static inline bool config_looks_around(const struct config_reader *reader)
{
    return !reader->packed && !reader->wanted;
}

/* ---- places and problems (config_problem.c) ---- */

struct config_place config_member(const struct config_place *parent, const char *name);
struct config_place config_element(
    const struct config_place *parent, size_t index, const struct json *value);
/* Appends "hooks[1].retry.attempts"; nothing for the file. */
void config_place_print(const struct config_place *place, struct buffer *out);
void config_problem(
    struct config_reader *reader, const struct config_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A problem without a document: `line` 0 is the file as a whole. */
int config_problem_add(struct config_problems *problems, int line, const char *key, char *text);
void config_problems_sort(struct config_problems *problems);
/* Notes that memory is short when `pointer` is NULL; true when it is not. */
bool config_have(struct config_reader *reader, const void *pointer);

/* ---- reading by the table (config_read.c) ---- */

void config_read_file(struct config_reader *reader);
/* Says which members of `place` are not in the table below `parent`. */
void config_refuse_unknown(
    struct config_reader *reader, const struct config_key *parent,
    const struct config_place *place);
bool config_is_type(
    struct config_reader *reader, const struct config_place *place, enum json_type type);
/* The text at `place`, which must be a non-empty string; NULL after reporting that it is not. */
const char *config_text_at(struct config_reader *reader, const struct config_place *place);

/* Has the object that member? An empty text is the same as none. */
bool config_is_given(const struct config_place *place, const char *name);

/* Visits every value of one type, elements of lists included: used to pack. Not 0 stops. */
typedef int config_visitor(
    void *context, const struct config_key *key, const struct config_place *place, void *target);
int config_visit(struct config *config, enum key_type type, config_visitor *visit, void *context);
void config_fini(struct config *config); /* frees all that the table names */

/* ---- single values ---- */

/* What a type takes and how it is read. */
struct config_type {
    const char *shape;   /* for people: "duration" */
    const char *example; /* `"30s"` */
    enum json_type json; /* what stands in the file; unused with `read_value` */
    void (*read_text)(
        struct config_reader *reader, const struct config_key *key,
        const struct config_place *place, const char *text, void *target);
    void (*read_value)(
        struct config_reader *reader, const struct config_key *key,
        const struct config_place *place, void *base);
    void (*fini)(const struct config_key *key, void *base);
};
const struct config_type *config_type(enum key_type type);

typedef void config_read_text(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target);
config_read_text config_read_plain, config_read_name, config_read_path, config_read_url,
    config_read_url_path, config_read_integer, config_read_bool, config_read_duration,
    config_read_size, config_read_rate, config_read_mode, config_read_choice, config_read_address,
    config_read_socket;

typedef void config_read_value(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    void *base);
config_read_value config_read_secrets, config_read_networks, config_read_texts, config_read_command,
    config_read_variables, config_read_exits, config_read_when, config_read_headers,
    config_read_statuses;

typedef void config_finish(
    struct config_reader *reader, const struct config_place *place, void *target);
config_finish config_finish_tls, config_finish_listener, config_finish_admin,
    config_finish_endpoint, config_finish_hook, config_finish_verify, config_finish_retry,
    config_finish_limits, config_finish_http;

void config_condition_fini(struct config_condition *condition);
void config_secrets_fini(struct config_secrets *secrets);

/* "1.5MiB" has no spelling here: the largest unit that divides it. */
void config_format_size(int64_t bytes, char *out, size_t out_bytes);
/* What a scheme's own options must fulfil, beyond being there (config_verify.c). `place` is the
 * entry of "verify". */
typedef void config_check_options(
    struct config_reader *reader, const struct config_place *place, struct config_verify *verify);
config_check_options config_check_webhook_keys, config_check_basic, config_check_networks,
    config_check_fingerprints, config_check_signed, config_check_public_url, config_check_header;
/* What is wrong with a secret of Standard Webhooks, as a message with its advice; NULL: nothing. */
const char *config_webhook_key_fault(struct bytes secret);
/* What is wrong with a URL that may have a query, as the first half of a message; NULL: nothing. */
const char *config_call_url_fault(const char *text);
bool config_is_header_name(const char *name);
/* The certificates and keys of an http hook (config_tls.c). */
void config_check_http_tls(
    struct config_reader *reader, const struct config_place *place, const struct config_http *http);
/* What does not fit a hook without a process. `place` is the hook. */
void config_check_http_hook(
    struct config_reader *reader, const struct config_place *place, const struct config_hook *hook);
bool config_scheme_takes(const struct config_scheme *scheme, const char *option);
/* What is wrong with a command's template, as a message with its advice; NULL: nothing. The
 * name at fault, if any, is at *name_out, *length_out bytes long. */
const char *config_template_fault(const char *text, const char **name_out, size_t *length_out);
/* The next "NAME<separator>VALUE" line of a file, without blank ones and comments (#). `text` is
 * borrowed by what comes out. false: a line without separator, which is the name; or the end, when
 * the name is empty. */
bool config_pair_next(
    struct bytes text, char separator, size_t *at, struct bytes *name_out, struct bytes *value_out);
/* What must hold of a hook with "mode": "stream", and of its keys in other hooks. */
void config_check_stream(
    struct config_reader *reader, const struct config_place *place, const struct config_hook *hook);
/* Is there an endpoint of that name? NULL is one that was not named. Endpoints come before hooks
 * in the table, so they have been read when a hook is. */
void config_check_endpoint(
    struct config_reader *reader, const struct config_place *place, const char *name);
/* What must hold between parts of the file (config_check.c). */
void config_check(struct config_reader *reader);

#endif
