/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum { CELL_BYTES = 64 * 1024, GAP = 2 };

void table_init(struct table *table, const struct table_column *columns, size_t column_count)
{
    *table = (struct table){.columns = columns, .column_count = column_count};
}

void table_fini(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){0};
}

void table_add(struct table *table, struct bytes text)
{
    char **cells = realloc(table->cells, (table->cell_count + 1) * sizeof(*cells));
    struct buffer cell;
    buffer_init(&cell, CELL_BYTES);
    if (text.length > CELL_BYTES / 8)
        text.length = CELL_BYTES / 8;
    text_append_printable(&cell, text.length > 0 ? text : bytes_of_text("-"));
    char *content = buffer_take(&cell);
    if (cells)
        table->cells = cells;
    if (!cells || !content) {
        free(content);
        table->failed = true;
        return;
    }
    cells[table->cell_count++] = content;
}

void table_add_text(struct table *table, const char *text)
{
    table_add(table, bytes_of_text(text));
}

void table_addf(struct table *table, const char *format, ...)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, CELL_BYTES);
    va_list arguments;
    va_start(arguments, format);
    buffer_vappendf(&text, format, arguments);
    va_end(arguments);
    table_add(table, buffer_bytes(&text));
}

/* Decodes one character; the text is UTF-8 already. */
static size_t take_character(const unsigned char *text, wchar_t *character_out)
{
    size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    uint32_t value = length == 1 ? text[0] : text[0] & (0xffU >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            *character_out = L'?';
            return 1;
        }
        value = value << 6 | (text[i] & 0x3fU);
    }
    *character_out = (wchar_t)value;
    return length;
}

size_t table_text_width(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t width = 0;
    while (*at != '\0') {
        wchar_t character;
        at += take_character(at, &character);
        int columns = wcwidth(character);
        width += columns < 0 ? 1 : (size_t)columns; /* -1: this locale does not know it */
    }
    return width;
}

static void append_blanks(struct buffer *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_append_char(out, ' ');
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t widest = table_text_width(table->columns[column].heading);
    for (size_t i = column; i < table->cell_count; i += table->column_count) {
        size_t width = table_text_width(table->cells[i]);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void render_cell(
    const struct table *table, size_t column, size_t width, const char *text, enum colour colour,
    struct buffer *out)
{
    size_t blanks = width - table_text_width(text);
    bool last = column + 1 == table->column_count;
    if (table->columns[column].right)
        append_blanks(out, blanks);
    buffer_append_text(out, colour_start(colour));
    buffer_append_text(out, text);
    if (colour != COLOUR_NONE)
        buffer_append_text(out, colour_end());
    if (!last)
        append_blanks(out, GAP + (table->columns[column].right ? 0 : blanks));
    else
        buffer_append_char(out, '\n');
}

static bool has_headings(const struct table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].heading[0] != '\0')
            return true;
    }
    return false;
}

int table_render(const struct table *table, bool colour, struct buffer *out)
{
    CLEANUP_FREE size_t *widths = calloc(table->column_count, sizeof(*widths));
    if (!widths || table->failed)
        return -1;
    for (size_t i = 0; i < table->column_count; i++)
        widths[i] = column_width(table, i);
    for (size_t i = 0; has_headings(table) && i < table->column_count; i++)
        render_cell(
            table, i, widths[i], table->columns[i].heading, colour ? COLOUR_BOLD : COLOUR_NONE,
            out);
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t column = i % table->column_count;
        bool coloured = colour && table->columns[column].status;
        render_cell(
            table, column, widths[column], table->cells[i],
            coloured ? colour_of_status(table->cells[i]) : COLOUR_NONE, out);
    }
    return buffer_failed(out) ? -1 : 0;
}
