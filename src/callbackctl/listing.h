/* SPDX-License-Identifier: MIT */
/*
 * Lists of the admin API as tables, described by rows: which members become
 * columns, which options become filters. And single objects as fields.
 */
#ifndef CALLBACKCTL_LISTING_H
#define CALLBACKCTL_LISTING_H

#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/json.h"
#include "options.h"
#include "session.h"

enum cell_kind {
    CELL_TEXT,
    CELL_STATUS,
    CELL_NUMBER,
    CELL_SIZE,
    CELL_TIME,
    CELL_MILLISECONDS,
    CELL_SHARE /* 1 is all: "99.5%" */
};

struct list_column {
    const char *heading;
    const char *key; /* member of the item; absent and null show as "-" */
    enum cell_kind kind;
};

/* FILTER_TIME takes RFC 3339 or a duration, which means so long ago. */
enum filter_kind { FILTER_TEXT, FILTER_ID, FILTER_NUMBER, FILTER_TIME };

struct list_filter {
    enum option_id option;
    const char *name;      /* of the option, for messages */
    const char *parameter; /* of the query */
    enum filter_kind kind;
};

struct listing {
    const char *path;
    const char *items; /* the answer's member that holds them */
    const struct list_column *columns;
    size_t column_count;
    const struct list_filter *filters;
    size_t filter_count;
    const char *none; /* what is said when the list is empty */
};

/* Asks and prints: the verb's whole work. The exit status, or -1. */
int listing_run(struct session *session, const struct listing *listing, struct error *error);
/* Prints an answer's items, or the answer itself with --json. The exit status, or -1. */
int listing_print(
    const struct session *session, const struct listing *listing, const struct admin_answer *answer,
    struct error *error);
/* Appends the table of an answer's items. */
int listing_append(
    const struct listing *listing, const struct display *display,
    const struct json_document *document, struct buffer *out, struct error *error);
/* Appends the query that the options ask for. */
int listing_query(
    const struct listing *listing, const struct session *session, struct buffer *path,
    struct error *error);

/*
 * Appends an object as lines "name  value": nested members with dots, times and sizes for
 * people, nothing for null and the
 * empty text. `skip` names members of the outermost object that are left out,
 * NULL at its end; may be NULL.
 */
int fields_append(
    const struct json_document *document, const struct json *object, const char *const *skip,
    const struct display *display, struct buffer *out, struct error *error);

/* Prints an answer as it is, with one newline at its end. */
int answer_print(
    const struct session *session, const struct admin_answer *answer, struct error *error);
/* As JSON with --json, else as fields. The exit status, or -1. */
int answer_show(
    const struct session *session, const struct admin_answer *answer, const char *const *skip,
    struct error *error);

/* The jobs of a hook or a result, for those who show them beside something else. */
extern const struct listing jobs_listing;

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
