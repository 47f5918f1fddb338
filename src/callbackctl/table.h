/* SPDX-License-Identifier: MIT */
/*
 * A table for people: columns as wide as their widest cell, in characters as a
 * terminal counts them. Cells are made printable when they are added.
 * Ownership: a table owns its cells; columns are borrowed. Threads: one at a time.
 */
#ifndef CALLBACKCTL_TABLE_H
#define CALLBACKCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "callbackd/buffer.h"
#include "display.h"

struct table_column {
    const char *heading; /* "" in every column: no line of headings */
    bool right;          /* numbers */
    bool status;         /* coloured by what it says */
};

struct table {
    const struct table_column *columns;
    size_t column_count;
    char **cells; /* row after row */
    size_t cell_count;
    bool failed; /* memory was short; table_render says so */
};

void table_init(struct table *table, const struct table_column *columns, size_t column_count);
void table_fini(struct table *table);
/* The next cell, left to right; an empty one shows as "-". Newlines are spelled out. */
void table_add(struct table *table, struct bytes text);
void table_add_text(struct table *table, const char *text); /* NULL: empty */
void table_addf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends the lines. -1 when memory was short, here or at a cell. */
int table_render(const struct table *table, bool colour, struct buffer *out);

/* Columns that a terminal uses for printable UTF-8. */
size_t table_text_width(const char *text);

#endif
