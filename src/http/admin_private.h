/* SPDX-License-Identifier: MIT */
/* Shared by the files of the admin API. Nobody else. */
#ifndef CALLBACKD_HTTP_ADMIN_PRIVATE_H
#define CALLBACKD_HTTP_ADMIN_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "admin_guesses.h"
#include "callbackd/admin.h"
#include "callbackd/json.h"
#include "callbackd/json_writer.h"
#include "server.h"

enum {
    ADMIN_ANSWER_MAX_BYTES = 64 * 1024 * 1024, /* a page of jobs with their outputs */
    ADMIN_BODY_MAX_BYTES = 1024 * 1024,
    ADMIN_CONNECTIONS = 128,
    ADMIN_HELD_MAX = 96, /* of them: the others are for requests that are answered at once */
    ADMIN_PAGE_DEFAULT = 50,
    ADMIN_PAGE_MAX = 1000,
};

struct admin {
    struct admin_options options;
    struct http_server *server;
    bool has_tls;                 /* of the listener, from its start on */
    pthread_rwlock_t config_lock; /* guards options.config and options.public_url */
    pthread_mutex_t change_lock;  /* guards generation and stopping */
    pthread_cond_t changed;       /* CLOCK_MONOTONIC */
    atomic_int held;              /* requests that wait for something */
    struct guesses guesses;
    uint64_t generation; /* grows whenever results or runs may have changed */
    bool stopping;
};

/* One request on its way. Lives for the call of its route. */
struct admin_request {
    struct admin *admin;
    struct http_request *http;
    char parameter[256]; /* the path's `*` segment, decoded; "" when there is none */
    bool may_act;        /* by its token: what opens something else is for it, too */
};

typedef void admin_route_handler(struct admin_request *request);

/* The i-th row of the table of routes: docs/API.md is compared with it. false past the end. */
bool admin_route_at(size_t index, const char **method_out, const char **path_out);

/* admin_access.c */
enum access { ACCESS_READ, ACCESS_ACT, ACCESS_METRICS };
/* May it have what needs that access? false: it is answered. Sets `may_act`. */
bool admin_may(struct admin_request *request, enum access access);
/* Says in the log what is unwise about the tokens. */
void admin_review_tokens(const struct config *config);

/* admin_runs.c */
admin_route_handler admin_list_runs, admin_register_run, admin_get_run, admin_patch_run,
    admin_await_result;
/* admin_results.c */
admin_route_handler admin_list_results, admin_get_result, admin_get_body, admin_replay_result;
/* admin_replay.c */
admin_route_handler admin_replay_results;
/* admin_jobs.c */
admin_route_handler admin_list_jobs, admin_get_job, admin_retry_job, admin_cancel_job;
/* admin_status.c */
admin_route_handler admin_metrics, admin_status, admin_list_hooks, admin_pause_hook,
    admin_resume_hook, admin_list_rejected;

/* ---- admin_common.c: what routes share ---- */

/* The configuration in force, until admin_unlock_config. */
const struct config *admin_lock_config(struct admin *admin);
void admin_unlock_config(struct admin *admin);

/* A request is about to wait, and holds its connection: false, with `error` filled, when too many
 * do. With true, admin_release ends it. */
bool admin_hold(struct admin *admin, struct error *error);
void admin_release(struct admin *admin);

/* A change was made in state.db: the worker should look. */
void admin_wake_worker(struct admin *admin);

/* Answers with the error as problem+json. */
void admin_fail(struct admin_request *request, const struct error *error);
/* Answers 200 with what was written, or 500 when the buffer failed. */
void admin_answer(struct admin_request *request, int status, const struct buffer *json);

/* The path's id. -1 (ERROR_NOT_FOUND) when it is none. */
int admin_path_id(const struct admin_request *request, struct id *id_out, struct error *error);
/* A query parameter as text, into `out` ("" when absent). -1 when it does not fit. */
int admin_query(
    const struct admin_request *request, const char *name, char *out, size_t out_bytes,
    struct error *error);
/* limit and cursor of a list. *has_cursor_out says whether there is one. */
int admin_query_page(
    const struct admin_request *request, int *limit_out, struct id *cursor_out,
    bool *has_cursor_out, struct error *error);
/* RFC 3339, or a duration that lies in the past; 0 when absent. */
int admin_query_time(
    const struct admin_request *request, const char *name, int64_t *wall_ms_out,
    struct error *error);
/* The filters of a list of results, and where their texts are. */
struct admin_result_query {
    struct result_filter filter; /* .limit is one more than was asked for */
    int limit;
    struct id cursor;
    struct id run;
    char endpoint[256];
    char workflow[256];
};
/* Reads them (admin_results.c). The query must not be moved afterwards. */
int admin_query_results(
    const struct admin_request *request, struct admin_result_query *query, struct error *error);
/* The request's body as a JSON object; NULL on failure. The caller frees. */
struct json_document *admin_read_object(struct admin_request *request, struct error *error);

/* A list in the making: {"items":[ … ],"next_cursor":…}. One more row than `limit` is asked of
 * the store, to know whether there is a next page. */
struct admin_list {
    struct buffer json;
    struct json_writer writer;
    int limit;
    int count;
    char last_id[ID_TEXT_BYTES];
};
void admin_list_begin(struct admin_list *list, int limit);
/* false: the page is full, do not write this row. Remembers the id for the cursor. */
bool admin_list_add(struct admin_list *list, const struct id *id);
void admin_list_answer(struct admin_request *request, struct admin_list *list);

void admin_write_id(struct json_writer *writer, const char *key, const struct id *id);
void admin_write_execution(struct json_writer *writer, bool has_id, int64_t execution_id);
/* Writes the result's object; `headers_json` empty: without headers. */
void admin_write_result(
    struct json_writer *writer, const struct result_record *result, struct bytes headers_json);

#endif
