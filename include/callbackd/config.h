/* SPDX-License-Identifier: MIT */
/*
 * The configuration: one table of keys (config_keys.c) drives parsing, defaults,
 * --check and docs/CONFIGURATION.md. A loaded configuration is complete: defaults
 * are in, paths are absolute, every secret and certificate has been read. Nothing
 * reads configuration or secret files after config_load.
 *
 * Handing over: the supervisor loads; children get config_pack's bytes, which hold
 * the text and only those secrets that their role needs.
 *
 * Ownership: a struct config owns all it points to. Threads: read-only after loading.
 */
#ifndef CALLBACKD_CONFIG_H
#define CALLBACKD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "callbackd/body.h"
#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/log.h"

/* Who needs a secret: bits. */
enum config_role { CONFIG_ROLE_RECEIVER = 1, CONFIG_ROLE_WORKER = 2, CONFIG_ROLE_ALL = 3 };

/*
 * What a *_file key, "env:NAME" or "credential:NAME" named, one item each; wiped when freed.
 * One trailing newline of a file is not part of the secret. In a process whose role does not
 * need it, count stays and the items are empty.
 */
struct config_secret {
    unsigned char *data;
    size_t length;
};
struct config_secrets {
    struct config_secret *items; /* the first signs, all verify */
    size_t count;                /* 0: not configured */
};

struct config_tls {
    bool enabled;
    struct config_secrets certificate; /* PEM with its chain; one item */
    struct config_secrets private_key; /* PEM; one item */
    struct config_secrets client_ca;   /* PEM; 0 or 1 item */
};

struct config_listener {
    char *address;   /* "host:port" as configured, NULL for a Unix socket */
    char *host;      /* numeric IPv4 or IPv6, without brackets; NULL for a Unix socket */
    int port;        /* 0: the kernel chooses */
    char *unix_path; /* absolute; NULL for TCP */
    mode_t mode;     /* of the Unix socket */
    char *group;     /* of the Unix socket; NULL: the process's own */
    struct config_tls tls;
};

struct config_admin {
    struct config_listener listener;
    struct config_secrets token;      /* may read and act */
    struct config_secrets read_token; /* may only read; may be empty */
    bool allow_plaintext;
    bool metrics_public;
};

/* An address or a network, as 128 bits (IPv4 mapped); prefix 0..128. */
struct config_network {
    unsigned char address[16];
    int prefix;
};
struct config_proxies {
    struct config_network *networks;
    size_t count;
    bool unix_sockets; /* "unix": peers of Unix listeners are proxies */
};

struct config_store {
    char *directory;         /* absolute */
    char *runtime_directory; /* for body files of hooks; NULL: chosen by the worker (tmpfs) */
    int64_t retention_ms;
    int keep_rejected; /* count */
};

struct config_run_token {
    struct config_secrets key;
    int64_t lifetime_ms;
};

struct config_promptlayer {
    char *base_url;                /* no trailing slash */
    struct config_secrets api_key; /* may be empty: no polling */
    int64_t launch_grace_ms;       /* results of a run still launching wait this long for its id */
};

struct config_limits {
    int64_t body_bytes;
    int64_t bodies_in_flight_bytes;
    int connections;
    int connections_per_client;
    int64_t request_timeout_ms;
    int64_t idle_timeout_ms; /* keep-alive */
    int json_depth;
    int64_t stop_timeout_ms; /* running hooks and open requests get this long at a stop */
};

enum config_digest { DIGEST_SHA256, DIGEST_SHA1, DIGEST_SHA384, DIGEST_SHA512 };
enum config_encoding { ENCODING_HEX, ENCODING_BASE64, ENCODING_BASE64URL };

/* An entry of "verify"; which of the options mean something, the scheme says. */
struct config_verify {
    char *scheme; /* a name of the table in the verify room */
    struct config_secrets secret;
    int64_t tolerance_ms; /* of timestamps, both ways */
    struct config_proxies networks;
    char **subjects;     /* NULL-terminated, RFC 2253; NULL: none */
    char **fingerprints; /* NULL-terminated, SHA-256 in lower-case hex; NULL: none */
    char *header;        /* NULL when absent, as the texts below */
    enum config_digest algorithm;
    enum config_encoding encoding;
    char *prefix;
    char *signed_text; /* see config_signed_next */
    char *timestamp_header;
    char *id_header;
};

enum config_on_revision { ON_REVISION_STORE, ON_REVISION_TRIGGER };

struct config_endpoint {
    char *name;
    char *path; /* starts with '/', no trailing slash */
    enum body_kind kind;
    char *id_pointer;     /* NULL when absent */
    char *status_pointer; /* NULL when absent */
    struct config_verify *verify;
    size_t verify_count; /* 0: "verify": "none" */
    enum config_on_revision on_revision;
};

enum condition_type {
    CONDITION_STATUS,   /* statuses */
    CONDITION_WORKFLOW, /* text: glob */
    CONDITION_ENDPOINT, /* text: exact name */
    CONDITION_EVENT,    /* text: glob */
    CONDITION_POINTER,  /* source: JSON pointer; operator, text */
    CONDITION_HEADER,   /* source: header name; operator, text */
    CONDITION_ALL,      /* children; none: true */
    CONDITION_ANY,      /* children; none: false */
    CONDITION_NOT       /* one child */
};
enum condition_operator {
    OPERATOR_EQUALS, /* text compares with a string, or with any other value's JSON spelling */
    OPERATOR_GLOB,
    OPERATOR_REGEX, /* PCRE2, UTF, unanchored */
    OPERATOR_EXISTS /* text "true" or "false" */
};
struct config_condition {
    enum condition_type type;
    unsigned statuses; /* bit 1 << enum result_status */
    enum condition_operator operator;
    char *source;
    char *text;
    struct config_condition *children;
    size_t child_count;
};

struct config_variable {
    char *name;
    char *value;
};

/* At most `limit` in any `period_ms`; 0: as many as there are. */
struct config_rate {
    int limit;
    int64_t period_ms;
};

/* Of which jobs of a hook one runs at a time, in the order in which they were queued. */
enum config_order { ORDER_NONE, ORDER_EXECUTION, ORDER_WORKFLOW };

/* Exit codes, 1 to 255. */
enum { CONFIG_EXIT_CODES = 256 };
struct config_exit_codes {
    bool given; /* stands in the file */
    bool holds[CONFIG_EXIT_CODES];
};

/* How a hook's command runs: once for each job, or on and on, told of jobs line by line. */
enum config_mode { MODE_PROCESS, MODE_STREAM };
/* How a line tells the body: as JSON where it is, else in base64; or always in base64. */
enum config_line_body { LINE_BODY_JSON, LINE_BODY_BASE64 };

/* What a hook is for. */
enum config_takes { TAKES_RESULTS, TAKES_DEAD };

/* Of an http hook's URL. */
enum config_http_method { HTTP_METHOD_POST, HTTP_METHOD_PUT };

/* Answers of HTTP that are no success, 300 to 599. */
enum { CONFIG_STATUS_MIN = 300, CONFIG_STATUSES = 600 };
struct config_statuses {
    bool given; /* stands in the file */
    bool holds[CONFIG_STATUSES];
};

/* Where a result is posted on to, in place of a command. */
struct config_http {
    bool enabled;                   /* "http" stands in the file */
    char *url;                      /* http or https; NULL: url_file has it */
    struct config_secrets url_file; /* one item */
    enum config_http_method method;
    struct config_variable *headers; /* their values are templates */
    size_t header_count;
    struct config_secrets headers_file; /* more of them; 0 or 1 item. See config_header_next */
    struct config_secrets secret;       /* of Standard Webhooks; each of them signs */
    struct config_secrets ca;           /* PEM; 0 or 1 item; none: the system's */
    struct config_secrets certificate;  /* PEM with its chain; 0 or 1 item */
    struct config_secrets private_key;  /* PEM; with a certificate, one item */
    int redirects;                      /* how many are followed, one after the other */
    bool private_networks;              /* redirects may lead there */
    struct config_statuses fail_on;     /* never retried; not given: 410 */
};

struct config_retry {
    int attempts; /* all of them, the first too */
    int64_t first_delay_ms;
    int64_t max_delay_ms;
};

/* What a process of a hook may use; 0: as much as the daemon. */
struct config_hook_limits {
    int64_t cpu_ms;
    int64_t memory_bytes;
    int64_t file_bytes;
    int open_files;
    int processes;
    int64_t core_bytes; /* here 0 is none at all */
};

struct config_hook {
    char *name;
    char *endpoint; /* NULL: any */
    /* `when` as one CONDITION_ALL; takes_status says whether a status condition stands in it
     * (without one a hook takes final results only). */
    struct config_condition when;
    bool takes_status;
    /* NULL-terminated templates; NULL when shell is used. The first is the program: it has no
     * fields, and is an absolute path, or a name without '/' that is found in PATH. */
    char **command;
    char *shell;             /* fixed text for /bin/sh -c; NULL when command is used */
    struct config_http http; /* in place of both */
    char *directory; /* working directory; absolute; default: the configuration's directory */
    struct config_variable *env;
    size_t env_count;
    struct config_secrets env_file; /* more of them; empty: none. See config_env_file_next */
    char *user;                     /* name or number; NULL: the daemon's own */
    char *group;                    /* NULL: the user's */
    mode_t mode_mask;
    int nice; /* 0: the daemon's own */
    struct config_hook_limits limits;
    enum config_mode mode;
    int window;                 /* MODE_STREAM: jobs in flight at each copy; at least 1 */
    enum config_line_body body; /* MODE_STREAM */
    int64_t timeout_ms;
    int concurrency;         /* at least 1; MODE_STREAM: copies */
    struct config_rate rate; /* of attempts that start */
    int priority;            /* higher first */
    enum config_order order;
    int64_t delay_ms;
    int64_t give_up_after_ms; /* since the job was created; 0: never */
    struct config_retry retry;
    struct config_exit_codes retry_on; /* given: no other exit is retried, but 75 */
    struct config_exit_codes fail_on;  /* never retried; not given: 65 */
    enum config_takes takes;
    char *on_dead; /* name of the hook, of those that take dead jobs, that is told; NULL: none */
};

/* Of what the kernel keeps the receiver from (src/callbackd/sandbox.h). */
enum config_sandbox {
    SANDBOX_AUTO,     /* all that this kernel can do */
    SANDBOX_REQUIRED, /* no start without all of it */
    SANDBOX_OFF
};

struct config {
    char *path;       /* absolute path of the file */
    char *directory;  /* its folder: relative paths start here */
    char *text;       /* as read */
    char *public_url; /* no trailing slash; NULL: made from the first listener's real address */
    struct config_listener *listeners;
    size_t listener_count;
    struct config_admin admin;
    struct config_proxies trusted_proxies;
    struct config_store store;
    struct config_run_token run_token;
    struct config_promptlayer promptlayer;
    struct config_limits limits;
    enum config_sandbox sandbox;
    enum log_format log_format;
    enum log_level log_level;
    struct config_endpoint *endpoints;
    size_t endpoint_count;
    struct config_hook *hooks;
    size_t hook_count;
    int hook_concurrency; /* "hook_concurrency": processes of hooks running at once, all together;
                             streams are not among them */
    bool hook_cgroups; /* "hook_cgroups": a control group for each attempt, where one can be made */
};

/* Problems found, in the order of the file; each printed as FILE:LINE: key.path: text. */
struct config_problem {
    int line;   /* 0: the file as a whole */
    char *key;  /* "endpoints[0].verify"; "" for the file */
    char *text; /* what is wrong (what to do) */
};
struct config_problems {
    struct config_problem *items;
    size_t count;
};
void config_problems_free(struct config_problems *problems);

/*
 * Reads the file and everything that it names. NULL when there is any problem; all of them are
 * in `problems` then (caller's storage, zeroed; free with config_problems_free).
 */
struct config *config_load(const char *path, struct config_problems *problems);
/*
 * For a client on the daemon's machine, who may be allowed less than it: of what the file names
 * only those secrets are read whose keys are in `secrets` ("admin.token_file"; NULL ends), and no
 * program, folder or group is looked for. The other secrets are counted and empty.
 */
struct config *config_load_for_client(
    const char *path, const char *const *secrets, struct config_problems *problems);
void config_free(struct config *config); /* wipes secrets; NULL is allowed */

/* Visits the keys ("admin.address") in which the two differ and which a reload does not take over.
 */
void config_visit_restarts(
    const struct config *old_config, const struct config *new_config,
    void (*visit)(void *context, const char *key), void *context);

/* What one role needs, as bytes for a child. `out` should be a secret buffer. */
int config_pack(
    const struct config *config, enum config_role role, struct buffer *out, struct error *error);
struct config *config_unpack(struct bytes packed, struct error *error);

/* The next variable of an env_file: *at is 0 at first. Views into the text. false: no more, or what
 * follows is not one, which config_load has refused. */
bool config_env_file_next(
    struct bytes text, size_t *at, struct bytes *name_out, struct bytes *value_out);

/* The next header of a headers_file, as config_env_file_next. */
bool config_header_next(
    struct bytes text, size_t *at, struct bytes *name_out, struct bytes *value_out);

/* Of what the signed text of the scheme "hmac" is made. */
enum config_signed {
    SIGNED_TEXT, /* as it stands */
    SIGNED_BODY,
    SIGNED_TIMESTAMP,
    SIGNED_ID,
    SIGNED_URL,  /* public_url and the path with its query */
    SIGNED_PATH, /* the path with its query */
    SIGNED_FAULT /* no template: config_load has refused it */
};
/* The next piece; *at is the template's beginning at first. `text_out` is a view into it, of
 * SIGNED_TEXT and SIGNED_FAULT only. false: no more. */
bool config_signed_next(const char **at, enum config_signed *piece_out, struct bytes *text_out);

/* NULL when there is none of that name. */
const struct config_endpoint *config_endpoint(const struct config *config, const char *name);
const struct config_hook *config_hook(const struct config *config, const char *name);

/* "127.0.0.1", "10.0.0.0/8", "::1", "fe80::/10". */
bool config_parse_network(const char *text, struct config_network *network_out);
/* The 16 bytes of a numeric address (IPv4 mapped). */
bool config_parse_address(const char *text, unsigned char address_out[16]);
bool config_network_holds(const struct config_network *network, const unsigned char address[16]);

/* A scheme of "verify" as the configuration knows it; what it does is in verify.h. */
enum { CONFIG_SCHEME_OPTIONS = 10 };
struct config_scheme {
    const char *name;
    const char *summary;                            /* for people, Markdown */
    const char *options[CONFIG_SCHEME_OPTIONS + 1]; /* its keys beside "scheme"; NULL ends */
};
const struct config_scheme *config_scheme_at(size_t index);       /* NULL past the end */
const struct config_scheme *config_scheme_find(const char *name); /* NULL: no such scheme */

/* Appends docs/CONFIGURATION.md, made from the table of keys. */
int config_document(struct buffer *out);

#endif
