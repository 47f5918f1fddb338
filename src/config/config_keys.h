/* SPDX-License-Identifier: MIT */
/*
 * The table of configuration keys. A row says where a key stands, how its value is
 * spelled, what it is when absent, where it goes, and what it means. Reading,
 * defaults, --check, packing, freeing and docs/CONFIGURATION.md follow from it.
 *
 * Threads: constant data.
 */
#ifndef CALLBACKD_CONFIG_KEYS_H
#define CALLBACKD_CONFIG_KEYS_H

#include "callbackd/config.h"

struct config_reader;
struct config_place;

enum key_type {
    /* Containers: their members are rows of their own. */
    KEY_OBJECT, /* target: a struct */
    KEY_LIST,   /* target: a pointer to structs; their count at count_offset */
    /* One JSON value that is spelled as text, a number or a boolean. */
    KEY_TEXT,     /* char * */
    KEY_NAME,     /* char *: what may stand in URLs, metrics and file names */
    KEY_PATH,     /* char *: made absolute */
    KEY_URL,      /* char *: http or https, no trailing slash (but with KEY_QUERY) */
    KEY_URL_PATH, /* char *: an endpoint's path */
    KEY_INTEGER,  /* int */
    KEY_BOOL,     /* bool */
    KEY_DURATION, /* int64_t milliseconds */
    KEY_SIZE,     /* int64_t bytes */
    KEY_MODE,     /* mode_t */
    KEY_RATE,     /* struct config_rate */
    KEY_CHOICE,   /* int-sized enum, index into `choices` */
    KEY_ADDRESS,  /* struct config_listener: address, host, port */
    KEY_SOCKET,   /* struct config_listener: unix_path */
    /* Values with a reader of their own. */
    KEY_SECRET,    /* struct config_secrets */
    KEY_NETWORKS,  /* struct config_proxies */
    KEY_TEXTS,     /* char **: NULL-terminated */
    KEY_COMMAND,   /* char **: templates */
    KEY_VARIABLES, /* struct config_variable *; their count at count_offset */
    KEY_HEADERS,   /* the same; the values are templates */
    KEY_EXITS,     /* struct config_exit_codes */
    KEY_STATUSES,  /* struct config_statuses */
    KEY_WHEN,      /* struct config_condition; its members are read by config_conditions.c */
    KEY_CONDITION, /* a member of a condition; target: its struct config_condition */
    KEY_TYPES
};

enum key_flag {
    KEY_REQUIRED = 1 << 0,
    KEY_OPTIONAL = 1 << 1, /* an object that may be absent as a whole: its members are not then */
    KEY_OR_NONE = 1 << 2,  /* a list in whose place "none" may stand; an empty one is refused */
    KEY_SINGLE = 1 << 3,   /* a secret that is no list */
    KEY_PUBLIC = 1 << 4,   /* a secret that is none: its file may be readable for all */
    KEY_HEADER = 1 << 5,   /* a secret that travels in an HTTP header */
    KEY_RESTART = 1 << 6,  /* a change is taken over at the next start, not by a reload */
    KEY_QUERY = 1 << 7,    /* a URL that is called as it stands: with a query, if it has one */
};

struct config_key {
    const char *pattern; /* "hooks[].retry.attempts" */
    enum key_type type;
    unsigned flags;
    size_t offset;              /* of the target in the struct of the object around it */
    size_t count_offset;        /* lists: of the count, in the same struct */
    size_t element_size;        /* lists: of one element */
    int64_t minimum;            /* integers, durations, sizes; of a secret: its length */
    int64_t maximum;            /* 0: no bound */
    const char *const *choices; /* NULL-terminated */
    const char *fallback;       /* default, spelled as text; NULL: none */
    enum config_role role;      /* secrets: who gets them */
    /* Looks at an object (or an element of a list) after its members were read. */
    void (*finish)(struct config_reader *reader, const struct config_place *place, void *target);
    const char *shape;   /* for people, in place of the name of the type; may be NULL */
    const char *meaning; /* for people: sentences, Markdown */
};

/* The row of that pattern; NULL when there is none. */
const struct config_key *config_key_find(const char *pattern);
/* The members of an object, or of a list's elements, in the order of the table: the row after
 * `previous` (NULL: the first). `parent` NULL is the file itself. NULL at the end. */
const struct config_key *config_key_next(
    const struct config_key *parent, const struct config_key *previous);
/* The member of that name; NULL when it has none. */
const struct config_key *config_key_member(const struct config_key *parent, const char *name);
/* The last part of the pattern: "attempts". */
const char *config_key_name(const struct config_key *key);
/* What a person who wrote `name` in `parent` may have meant: a member that is spelled nearly so,
 * else a key of exactly that name elsewhere, else the nearest member. Never NULL. */
const char *config_key_nearest(const struct config_key *parent, const char *name);

#endif
