/* SPDX-License-Identifier: MIT */
#include "listing.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/clock.h"
#include "callbackd/id.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "exit_status.h"
#include "table.h"

enum { PATH_BYTES = 16 * 1024, CELL_TEXT_BYTES = 64 * 1024 };

static const size_t page_bytes_max = (size_t)64 << 20;

static int query_value(
    const struct list_filter *filter, const struct session *session, const char *value,
    struct buffer *path, struct error *error)
{
    char time[CLOCK_RFC3339_BYTES];
    int64_t number = 0;
    struct id id;
    if (filter->kind == FILTER_TIME && text_parse_duration_ms(value, &number)) {
        clock_format_rfc3339(session->display.now_ms - number, time);
        value = time;
    } else if (filter->kind == FILTER_TIME && !clock_parse_rfc3339(value, &number)) {
        return error_set(
            error, ERROR_USAGE,
            "--%s: \"%s\" is neither a duration such as 2h nor a time such as "
            "2026-11-23T18:00:00Z",
            filter->name, value);
    } else if (filter->kind == FILTER_NUMBER && !text_parse_int64(bytes_of_text(value), &number)) {
        return error_set(error, ERROR_USAGE, "--%s: \"%s\" is not a number", filter->name, value);
    } else if (filter->kind == FILTER_ID && !id_parse(bytes_of_text(value), &id)) {
        return error_set(error, ERROR_USAGE, "--%s: \"%s\" is not an id", filter->name, value);
    }
    admin_add_query(path, filter->parameter, value);
    return 0;
}

int listing_query(
    const struct listing *listing, const struct session *session, struct buffer *path,
    struct error *error)
{
    for (size_t i = 0; i < listing->filter_count; i++) {
        const struct list_filter *filter = &listing->filters[i];
        const char *value = arguments_value(&session->arguments, filter->option);
        if (value && query_value(filter, session, value, path, error) != 0)
            return -1;
    }
    return buffer_failed(path) ? error_set(error, ERROR_USAGE, "the filters are too long") : 0;
}

static void add_time(struct table *table, const char *text, const struct display *display)
{
    CLEANUP_BUFFER struct buffer cell;
    buffer_init(&cell, CELL_TEXT_BYTES);
    display_append_time(&cell, text, display->now_ms);
    table_add(table, buffer_bytes(&cell));
}

/* Never rounded up to all, nor down to none. */
static void add_share(struct table *table, double share)
{
    double percent = share * 100;
    if (percent > 99.9 && percent < 100)
        percent = 99.9;
    else if (percent > 0 && percent < 0.1)
        percent = 0.1;
    table_addf(table, "%.1f%%", percent);
}

static void add_cell(
    struct table *table, const struct json_document *document, const struct json *value,
    enum cell_kind kind, const struct display *display)
{
    const char *text = json_get_text(value);
    int64_t number = 0;
    double share = 0;
    if (!value || json_type_of(value) == JSON_TYPE_NULL) {
        table_add_text(table, NULL);
    } else if (kind == CELL_TIME && text) {
        add_time(table, text, display);
    } else if (kind == CELL_SIZE && json_get_int64(document, value, &number)) {
        char size[32] = ""; /* below 0: not known */
        if (number >= 0)
            display_size(number, size, sizeof(size));
        table_add_text(table, size);
    } else if (kind == CELL_MILLISECONDS && json_get_int64(document, value, &number)) {
        char duration[32];
        text_format_duration(number > 0 ? number : 0, duration, sizeof(duration));
        table_add_text(table, duration);
    } else if (kind == CELL_SHARE && json_get_double(value, &share)) {
        add_share(table, share);
    } else if (text) {
        table_add_text(table, text);
    } else {
        table_add(table, json_source(document, value));
    }
}

int listing_append(
    const struct listing *listing, const struct display *display,
    const struct json_document *document, struct buffer *out, struct error *error)
{
    CLEANUP_FREE struct table_column *columns = calloc(listing->column_count, sizeof(*columns));
    if (!columns)
        return error_set(error, ERROR_MEMORY, "no memory for a table");
    for (size_t i = 0; i < listing->column_count; i++) {
        enum cell_kind kind = listing->columns[i].kind;
        columns[i] = (struct table_column){
            .heading = listing->columns[i].heading,
            .right = kind != CELL_TEXT && kind != CELL_STATUS && kind != CELL_TIME,
            .status = kind == CELL_STATUS,
        };
    }
    struct table table;
    table_init(&table, columns, listing->column_count);
    const struct json *items = json_get(json_root(document), listing->items);
    for (const struct json *item = json_first(items); item; item = json_next(item)) {
        for (size_t i = 0; i < listing->column_count; i++) {
            const struct list_column *column = &listing->columns[i];
            add_cell(&table, document, json_get(item, column->key), column->kind, display);
        }
    }
    int rendered = table_render(&table, display->colour, out);
    table_fini(&table);
    return rendered == 0 ? 0 : error_set(error, ERROR_MEMORY, "no memory for a table");
}

int listing_print(
    const struct session *session, const struct listing *listing, const struct admin_answer *answer,
    struct error *error)
{
    if (session->display.json || !answer->document)
        return answer_print(session, answer, error);
    const struct json *root = json_root(answer->document);
    if (json_count(json_get(root, listing->items)) == 0) {
        display_note("%s", listing->none);
        return EXIT_STATUS_DONE;
    }
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, page_bytes_max);
    if (listing_append(listing, &session->display, answer->document, &out, error) != 0 ||
        display_write(buffer_bytes(&out), error) != 0)
        return -1;
    const char *cursor = json_get_text(json_get(root, "next_cursor"));
    if (cursor && session->display.error_terminal)
        display_note("there is more: --cursor %s", cursor);
    return EXIT_STATUS_DONE;
}

int listing_run(struct session *session, const struct listing *listing, struct error *error)
{
    CLEANUP_BUFFER struct buffer path;
    buffer_init(&path, PATH_BYTES);
    buffer_append_text(&path, listing->path);
    if (listing_query(listing, session, &path, error) != 0)
        return -1;
    struct admin_client *admin = session_admin(session, error);
    struct admin_answer answer;
    if (!admin || admin_get(admin, buffer_text(&path), &answer, error) != 0)
        return -1;
    int status = listing_print(session, listing, &answer, error);
    admin_answer_fini(&answer);
    return status;
}

int answer_print(
    const struct session *session, const struct admin_answer *answer, struct error *error)
{
    struct bytes body = buffer_bytes(&answer->body);
    while (body.length > 0 && body.data[body.length - 1] == '\n')
        body.length--;
    if (display_write_foreign(&session->display, body, error) != 0)
        return -1;
    return display_write(bytes_of_text("\n"), error);
}

int answer_show(
    const struct session *session, const struct admin_answer *answer, const char *const *skip,
    struct error *error)
{
    if (session->display.json || !answer->document)
        return answer_print(session, answer, error);
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, page_bytes_max);
    if (fields_append(
            answer->document, json_root(answer->document), skip, &session->display, &out, error) !=
        0)
        return -1;
    return display_write(buffer_bytes(&out), error);
}
