/* SPDX-License-Identifier: MIT */
/* What the lists and records of the state share. */
#include <stdio.h>
#include <string.h>

#include "callbackd/text.h"
#include "state_private.h"

void list_query_append(struct list_query *query, const char *text)
{
    size_t space = sizeof query->sql - query->length;
    int length = snprintf(query->sql + query->length, space, "%s", text);

    /* A text that is cut does not parse, and the tests use every filter. */
    query->length += (size_t)length < space ? (size_t)length : space - 1;
}

void list_query_init(struct list_query *query, const char *start)
{
    query->length = 0;
    query->has_condition = false;
    query->parameter_count = 0;
    list_query_append(query, start);
}

static struct list_parameter *add_parameter(struct list_query *query)
{
    return &query->parameters[query->parameter_count++];
}

static struct list_parameter *add_condition(struct list_query *query, const char *condition)
{
    list_query_append(query, query->has_condition ? " AND " : " WHERE ");
    list_query_append(query, condition);
    query->has_condition = true;
    return add_parameter(query);
}

void list_query_int64(struct list_query *query, const char *condition, int64_t number)
{
    *add_condition(query, condition) =
        (struct list_parameter){.type = LIST_INT64, .number = number};
}

void list_query_text(struct list_query *query, const char *condition, const char *text)
{
    *add_condition(query, condition) = (struct list_parameter){.type = LIST_TEXT, .text = text};
}

void list_query_id(struct list_query *query, const char *condition, const struct id *id)
{
    *add_condition(query, condition) = (struct list_parameter){.type = LIST_ID, .id = id};
}

void list_query_parameter(struct list_query *query, int64_t number)
{
    *add_parameter(query) = (struct list_parameter){.type = LIST_INT64, .number = number};
}

int list_query_open(
    const struct list_query *query, struct statement *statement, struct db *db, struct error *error)
{
    if (statement_open_built(statement, db, query->sql, error) < 0)
        return -1;
    for (int i = 0; i < query->parameter_count; i++) {
        const struct list_parameter *parameter = &query->parameters[i];

        if (parameter->type == LIST_INT64)
            statement_bind_int64(statement, parameter->number);
        else if (parameter->type == LIST_TEXT)
            statement_bind_text(statement, parameter->text);
        else
            statement_bind_id(statement, parameter->id);
    }
    return 0;
}

static int seq_by_id(
    struct db *db, const struct id *id, const char *sql, int64_t *seq_out, struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(&row, db, sql, error) < 0)
        return -1;
    statement_bind_id(&row, id);
    stepped = statement_step(&row, error);
    if (stepped == 1)
        *seq_out = statement_int64(&row, 0);
    return stepped;
}

int list_before_seq(
    struct db *db, const struct id *before, const char *exact, const char *nearest,
    int64_t *seq_out, struct error *error)
{
    int found;

    *seq_out = INT64_MAX;
    if (before == NULL)
        return 0;
    found = seq_by_id(db, before, exact, seq_out, error);
    if (found != 0)
        return found < 0 ? -1 : 0;
    *seq_out = 0;
    found = seq_by_id(db, before, nearest, seq_out, error);
    if (found == 1)
        (*seq_out)++;
    return found < 0 ? -1 : 0;
}

int run_on_one(struct statement *statement, const char *what, struct error *error)
{
    if (statement_run(statement, error) < 0)
        return -1;
    if (statement_changes(statement) == 0)
        return error_set(error, ERROR_NOT_FOUND, "no such %s", what);
    return 0;
}

char *record_text(const char *text, bool *failed)
{
    char *copy = text_copy(text);

    if (text != NULL && copy == NULL)
        *failed = true;
    return copy;
}

int record_failed(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "no memory for a record of the state");
}

int bad_name(const struct statement *row, int column, const char *what, struct error *error)
{
    return error_set(
        error, ERROR_CORRUPT, "%s holds a %s that is none: \"%.60s\"", db_path(row->db), what,
        statement_text(row, column));
}
