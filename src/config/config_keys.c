/* SPDX-License-Identifier: MIT */
/* The table of keys. The order of the rows is the order of docs/CONFIGURATION.md. */
#include "config_keys.h"

#include "callbackd/json_scan.h"
#include "callbackd/text.h"
#include "config_private.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static const char *const kinds[] = {"workflow-result", "workspace-event", "json", "form", NULL};
static const char *const revisions[] = {"store", "trigger", NULL};
static const char *const modes[] = {"process", "stream", NULL};
static const char *const line_bodies[] = {"json", "base64", NULL};
static const char *const takes[] = {"results", "dead", NULL};
static const char *const orders[] = {"none", "execution", "workflow", NULL};
static const char *const digests[] = {"sha256", "sha1", "sha384", "sha512", NULL};
static const char *const encodings[] = {"hex", "base64", "base64url", NULL};
static const char *const http_methods[] = {"POST", "PUT", NULL};
static const char *const sandboxes[] = {"auto", "required", "off", NULL};
static const char *const log_formats[] = {"logfmt", "json", NULL};
static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

/* clang-format off: a row reads best as it was laid out. */
#define AT(type, field) .offset = offsetof(struct type, field)
#define LIST_AT(type, field, count, element)                                                       \
    .offset = offsetof(struct type, field), .count_offset = offsetof(struct type, count),          \
    .element_size = sizeof(struct element)

static const struct config_key keys[] = {
    {"public_url", KEY_URL, AT(config, public_url),
     .meaning = "How senders reach us: the base of every callback URL. Behind a proxy this is the "
                "proxy's address. Without it the first listener's own address is used, which "
                "suits tests."},
    {"sandbox", KEY_CHOICE, AT(config, sandbox), .choices = sandboxes, .fallback = "auto",
     .meaning =
         "What the kernel keeps the receiver from: it cannot execute, fork, connect, or open "
         "files but the log's. `auto` takes what the kernel has (seccomp, Landlock) and "
         "warns of what it lacks; `required` does not start without all of it."},
    {"hook_concurrency", KEY_INTEGER, AT(config, hook_concurrency), .minimum = 1, .maximum = 10000,
     .fallback = "16",
     .meaning = "Hooks that may run at once, those of all hooks together. Jobs of hooks with "
                "`\"mode\": \"stream\"` do not count: those have bounds of their own."},
    {"hook_cgroups", KEY_BOOL, AT(config, hook_cgroups), .fallback = "true",
     .meaning =
         "Gives each attempt of a hook a control group (cgroup v2), where one can be made, so "
         "that nothing of it escapes when it is killed (docs/HOOKS.md)."},

    {"listen", KEY_LIST, KEY_REQUIRED, LIST_AT(config, listeners, listener_count, config_listener),
     .finish = config_finish_listener,
     .meaning = "Where senders connect: a list. Each has either an `address` or a `unix` socket."},
    {"listen[].address", KEY_ADDRESS, .offset = 0,
     .meaning = "A numeric IPv4 or IPv6 address and a port. Port 0 lets the kernel choose one."},
    {"listen[].unix", KEY_SOCKET, .offset = 0,
     .meaning = "A Unix socket, for a reverse proxy on this machine."},
    {"listen[].mode", KEY_MODE, AT(config_listener, mode), .fallback = "0660",
     .meaning = "Permissions of the Unix socket, in octal."},
    {"listen[].group", KEY_TEXT, AT(config_listener, group),
     .meaning = "Group of the Unix socket. Without it, the process's own."},
    {"listen[].tls", KEY_OBJECT, KEY_OPTIONAL, AT(config_listener, tls),
     .finish = config_finish_tls,
     .meaning = "TLS for this listener. Without it, plain HTTP is spoken: for a proxy on the same "
                "machine, never for the internet."},
    {"listen[].tls.certificate", KEY_SECRET, KEY_REQUIRED | KEY_SINGLE | KEY_PUBLIC,
     AT(config_tls, certificate), .role = CONFIG_ROLE_RECEIVER,
     .meaning = "The certificate and its chain, PEM. An expired one is refused."},
    {"listen[].tls.private_key", KEY_SECRET, KEY_REQUIRED | KEY_SINGLE, AT(config_tls, private_key),
     .role = CONFIG_ROLE_RECEIVER,
     .meaning = "The key that belongs to the certificate, PEM, without a passphrase."},
    {"listen[].tls.client_ca", KEY_SECRET, KEY_SINGLE | KEY_PUBLIC, AT(config_tls, client_ca),
     .role = CONFIG_ROLE_RECEIVER,
     .meaning = "Authorities, PEM: with it, only clients with a certificate from one of them may "
                "connect."},

    {"admin", KEY_OBJECT, AT(config, admin), .finish = config_finish_admin,
     .meaning = "The admin listener: the API and metrics. It has either an `address` or a "
                "`unix` socket."},
    {"admin.address", KEY_ADDRESS, KEY_RESTART, AT(config_admin, listener),
     .meaning = "A numeric address and a port, best on loopback. Elsewhere it needs `tls`."},
    {"admin.unix", KEY_SOCKET, KEY_RESTART, AT(config_admin, listener),
     .meaning = "A Unix socket in place of an address."},
    {"admin.mode", KEY_MODE, KEY_RESTART, AT(config_admin, listener.mode), .fallback = "0660",
     .meaning = "Permissions of the Unix socket, in octal."},
    {"admin.group", KEY_TEXT, KEY_RESTART, AT(config_admin, listener.group),
     .meaning = "Group of the Unix socket. Without it, the process's own."},
    {"admin.token_file", KEY_SECRET, KEY_REQUIRED | KEY_HEADER, AT(config_admin, token),
     .role = CONFIG_ROLE_WORKER,
     .meaning = "Tokens for `Authorization: Bearer`, which may read and act."},
    {"admin.read_token_file", KEY_SECRET, KEY_HEADER, AT(config_admin, read_token),
     .role = CONFIG_ROLE_WORKER, .meaning = "Tokens that may only read."},
    {"admin.allow_plaintext", KEY_BOOL, AT(config_admin, allow_plaintext), .fallback = "false",
     .meaning = "Allows an address that is not on loopback without TLS, where tokens can be "
                "overheard."},
    {"admin.metrics_public", KEY_BOOL, AT(config_admin, metrics_public), .fallback = "false",
     .meaning = "Answers `GET /metrics` without a token."},
    {"admin.tls", KEY_OBJECT, KEY_OPTIONAL | KEY_RESTART, AT(config_admin, listener.tls),
     .finish = config_finish_tls,
     .meaning = "TLS for the admin listener. A reload takes over other certificates; to turn it on "
                "or off needs a restart."},
    {"admin.tls.certificate", KEY_SECRET, KEY_REQUIRED | KEY_SINGLE | KEY_PUBLIC,
     AT(config_tls, certificate), .role = CONFIG_ROLE_WORKER,
     .meaning = "The certificate and its chain, PEM."},
    {"admin.tls.private_key", KEY_SECRET, KEY_REQUIRED | KEY_SINGLE, AT(config_tls, private_key),
     .role = CONFIG_ROLE_WORKER, .meaning = "The key that belongs to it, PEM."},
    {"admin.tls.client_ca", KEY_SECRET, KEY_SINGLE | KEY_PUBLIC, AT(config_tls, client_ca),
     .role = CONFIG_ROLE_WORKER,
     .meaning = "Authorities, PEM, one of which must have signed a client's certificate."},

    {"trusted_proxies", KEY_NETWORKS, AT(config, trusted_proxies),
     .meaning =
         "Peers whose `Forwarded` or `X-Forwarded-For` header is believed: addresses, "
         "networks, and `\"unix\"` for every peer of a Unix socket. Read from the right, the "
         "first address that is none of these is the client. Let the proxy remove the "
         "header that it does not write: when both are there and differ, the client is "
         "`unknown`, which is in no network."},

    {"store", KEY_OBJECT, AT(config, store),
     .meaning = "Where results are kept, and for how long."},
    {"store.directory", KEY_PATH, KEY_REQUIRED | KEY_RESTART, AT(config_store, directory),
     .meaning = "The folder of the databases, on a local disk. It is made with mode 0700. A reload "
                "with another one is refused."},
    {"store.runtime_directory", KEY_PATH, KEY_RESTART, AT(config_store, runtime_directory),
     .meaning = "Where hooks' body files are put while they run; best a tmpfs. Without it, the "
                "worker looks for one."},
    {"store.retention", KEY_DURATION, AT(config_store, retention_ms), .minimum = SECOND,
     .maximum = 100 * YEAR, .fallback = "30d",
     .meaning = "Results, jobs, attempts and runs that are older are removed; what is unfinished "
                "stays."},
    {"store.keep_rejected", KEY_INTEGER, AT(config_store, keep_rejected), .minimum = 0,
     .maximum = 1000000, .fallback = "1000",
     .meaning = "How many of the latest refused posts are kept."},

    {"run_token", KEY_OBJECT, AT(config, run_token),
     .meaning = "Run tokens: the signed last part of a callback URL, which says for which run a "
                "post is."},
    {"run_token.key_file", KEY_SECRET, AT(config_run_token, key), .minimum = 16,
     .role = CONFIG_ROLE_ALL,
     .meaning = "The key that signs them; needed by the scheme `run-token`. Random bytes, 32 are "
                "good: `openssl rand -hex 32`."},
    {"run_token.lifetime", KEY_DURATION, AT(config_run_token, lifetime_ms), .minimum = SECOND,
     .maximum = 10 * YEAR, .fallback = "7d",
     .meaning = "How long a token is good, if its run's deadline does not ask for longer."},

    {"promptlayer", KEY_OBJECT, AT(config, promptlayer),
     .meaning = "The workflow API: to launch runs, and to fetch results that were never posted."},
    {"promptlayer.base_url", KEY_URL, AT(config_promptlayer, base_url),
     .fallback = "https://api.promptlayer.com", .meaning = "Where the API is."},
    {"promptlayer.api_key_file", KEY_SECRET, KEY_HEADER, AT(config_promptlayer, api_key),
     .role = CONFIG_ROLE_WORKER, .meaning = "The API key. Without it nothing is asked of the API."},
    {"promptlayer.launch_grace", KEY_DURATION, AT(config_promptlayer, launch_grace_ms),
     .minimum = 0, .maximum = DAY, .fallback = "5m",
     .meaning = "How long a result waits for the execution id of a run that is still being "
                "launched."},

    {"limits", KEY_OBJECT, AT(config, limits), .finish = config_finish_limits,
     .meaning = "What one process takes on at once. Over a limit, senders are asked to try again."},
    {"limits.body", KEY_SIZE, AT(config_limits, body_bytes), .minimum = KIB, .maximum = GIB,
     .fallback = "16MiB", .meaning = "The largest body; a larger one is answered 413."},
    {"limits.bodies_in_flight", KEY_SIZE, AT(config_limits, bodies_in_flight_bytes), .minimum = KIB,
     .maximum = 1024 * GIB, .fallback = "256MiB",
     .meaning = "Memory for the bodies of all requests together, beside 16 KiB for each; at least "
                "`limits.body`. A request for which there is none is answered 503."},
    {"limits.connections", KEY_INTEGER, AT(config_limits, connections), .minimum = 1,
     .maximum = 1024, .fallback = "1024",
     .meaning =
         "Open connections of senders that are served at the same time. When more come, those "
         "give way that are idle, or slow."},
    {"limits.connections_per_client", KEY_INTEGER, AT(config_limits, connections_per_client),
     .minimum = 1, .maximum = 65536, .fallback = "256",
     .meaning = "Open connections of one client; behind `trusted_proxies`, its requests under way. "
                "An IPv6 network of 64 bits is one client. A further one is answered 429, or not "
                "at all."},
    {"limits.request_timeout", KEY_DURATION, AT(config_limits, request_timeout_ms), .minimum = 10,
     .maximum = HOUR, .fallback = "10s",
     .meaning =
         "A request that takes longer to arrive is answered 408: from its first byte, or the "
         "connection's beginning, to its last."},
    {"limits.idle_timeout", KEY_DURATION, AT(config_limits, idle_timeout_ms), .minimum = 10,
     .maximum = HOUR, .fallback = "75s",
     .meaning = "A kept-alive connection without a request is closed after this. Longer than the "
                "proxy's own, or it meets closed connections."},
    {"limits.stop_timeout", KEY_DURATION, AT(config_limits, stop_timeout_ms), .minimum = 0,
     .maximum = HOUR, .fallback = "10s",
     .meaning = "Open requests and running hooks get this long at a stop; hooks that were cut "
                "off run again."},
    {"limits.json_depth", KEY_INTEGER, AT(config_limits, json_depth), .minimum = 1,
     .maximum = JSON_DEPTH_MAX, .fallback = "128",
     .meaning = "How deep the JSON of a body may be nested."},

    {"log", KEY_OBJECT, .offset = 0,
     .meaning =
         "The log goes to standard error. When nobody reads it there, a receiver drops lines "
         "rather than let senders wait, and says how many."},
    {"log.format", KEY_CHOICE, AT(config, log_format), .choices = log_formats, .fallback = "logfmt",
     .meaning = "How a line is written."},
    {"log.level", KEY_CHOICE, AT(config, log_level), .choices = log_levels, .fallback = "info",
     .meaning = "The least level that is written."},

    {"endpoints", KEY_LIST, KEY_REQUIRED,
     LIST_AT(config, endpoints, endpoint_count, config_endpoint), .finish = config_finish_endpoint,
     .meaning = "Where posts go: a list. Each is a path, what stands in its bodies, and why a "
                "post may be believed."},
    {"endpoints[].name", KEY_NAME, KEY_REQUIRED, AT(config_endpoint, name),
     .meaning = "Its name in hooks, results, metrics and run tokens: renaming an endpoint makes "
                "its tokens worthless."},
    {"endpoints[].path", KEY_URL_PATH, KEY_REQUIRED, AT(config_endpoint, path),
     .meaning = "The path that is posted to. No path may be the beginning of another one, as "
                "`/a` is of `/a/b`."},
    {"endpoints[].kind", KEY_CHOICE, AT(config_endpoint, kind), .choices = kinds,
     .fallback = "workflow-result",
     .meaning = "What a body is: the result of a workflow, an event of the workspace, any JSON, "
                "or a url-encoded form."},
    {"endpoints[].id", KEY_TEXT, AT(config_endpoint, id_pointer),
     .meaning = "For `json`, a JSON pointer to the sender's id of the post; for `form`, a field's "
                "name. Posts with the same id are the same post."},
    {"endpoints[].status", KEY_TEXT, AT(config_endpoint, status_pointer),
     .meaning = "For `json` and `form`: where the status stands. Without it, it is `received`."},
    {"endpoints[].on_revision", KEY_CHOICE, AT(config_endpoint, on_revision), .choices = revisions,
     .fallback = "store",
     .meaning = "What a different body for a known post does: it is stored, or it also triggers "
                "hooks again."},
    {"endpoints[].verify", KEY_LIST, KEY_REQUIRED | KEY_OR_NONE,
     LIST_AT(config_endpoint, verify, verify_count, config_verify), .finish = config_finish_verify,
     .meaning = "Every scheme of the list must hold. `\"none\"` in its place believes everybody, "
                "and says so at every start."},
    {"endpoints[].verify[].scheme", KEY_TEXT, KEY_REQUIRED, AT(config_verify, scheme),
     .meaning = "One of the schemes below. The other keys are options: the table says which are a "
                "scheme's."},
    {"endpoints[].verify[].secret_file", KEY_SECRET, AT(config_verify, secret),
     .role = CONFIG_ROLE_RECEIVER,
     .meaning = "What the sender signs with, or sends. Each of a list is good, so that it can be "
                "exchanged."},
    {"endpoints[].verify[].tolerance", KEY_DURATION, AT(config_verify, tolerance_ms),
     .minimum = SECOND, .maximum = YEAR, .fallback = "5m",
     .meaning = "How far a signed timestamp may be from our clock, in either direction."},
    {"endpoints[].verify[].networks", KEY_NETWORKS, AT(config_verify, networks),
     .meaning = "Addresses and networks, and `\"unix\"` for peers of a Unix socket. Compared with "
                "the client's address, which `trusted_proxies` has a say in."},
    {"endpoints[].verify[].subjects", KEY_TEXTS, AT(config_verify, subjects),
     .meaning = "Whole subjects of certificates as RFC 2253 writes them, "
                "`\"CN=sender,O=Example\"`; one of them must be the client's."},
    {"endpoints[].verify[].fingerprints", KEY_TEXTS, AT(config_verify, fingerprints),
     .meaning = "SHA-256 of whole certificates in hex, with colons or without; one of them must "
                "be the client's, where no subject is."},
    {"endpoints[].verify[].header", KEY_TEXT, AT(config_verify, header),
     .meaning = "The header with the signature, or with the token in place of `Authorization`."},
    {"endpoints[].verify[].algorithm", KEY_CHOICE, AT(config_verify, algorithm), .choices = digests,
     .fallback = "sha256", .meaning = "The digest of the HMAC."},
    {"endpoints[].verify[].encoding", KEY_CHOICE, AT(config_verify, encoding), .choices = encodings,
     .fallback = "hex", .meaning = "How the signature is spelled in its header."},
    {"endpoints[].verify[].prefix", KEY_TEXT, AT(config_verify, prefix),
     .meaning = "What stands before the signature in its header, such as `sha256=`."},
    {"endpoints[].verify[].signed", KEY_TEXT, AT(config_verify, signed_text), .fallback = "{body}",
     .meaning = "What is signed: text with `{body}` `{timestamp}` `{id}` `{url}` (`public_url`, "
                "path and query) and `{path}` (path and query) in it; `{{` `}}` are braces."},
    {"endpoints[].verify[].timestamp_header", KEY_TEXT, AT(config_verify, timestamp_header),
     .meaning = "The header with the `{timestamp}`: seconds since 1970, or milliseconds."},
    {"endpoints[].verify[].id_header", KEY_TEXT, AT(config_verify, id_header),
     .meaning = "The header with the sender's id of the post, the `{id}`: posts with the same one "
                "are the same post."},

    {"hooks", KEY_LIST, LIST_AT(config, hooks, hook_count, config_hook),
     .finish = config_finish_hook,
     .meaning =
         "What is done with results: a list. Each has a `command` or a `shell`, with the body on "
         "its standard input and the rest in variables `CALLBACK_…`; or an `http`, which "
         "posts the body on."},
    {"hooks[].name", KEY_NAME, KEY_REQUIRED, AT(config_hook, name),
     .meaning = "Its name in jobs and metrics."},
    {"hooks[].endpoint", KEY_TEXT, AT(config_hook, endpoint),
     .meaning = "Takes results of this endpoint only."},
    {"hooks[].command", KEY_COMMAND, AT(config_hook, command),
     .meaning =
         "The program and its arguments, never given to a shell. A program with a slash is "
         "relative to the configuration file, others are found in `PATH`. In arguments "
         "`{execution_id}` is a field, `{/final_output/x}` a value of the body, and `{{` "
         "`}}` are braces. Fields: `hook` `endpoint` `result_id` `execution_id` `run_id` "
         "`workflow` `status` `received_at` `attempt` `job_id` `event`, and those under `takes`."},
    {"hooks[].shell", KEY_TEXT, AT(config_hook, shell),
     .meaning = "Fixed text for `/bin/sh -c`; data reaches it through the environment and "
                "standard input alone."},
    {"hooks[].http", KEY_OBJECT, KEY_OPTIONAL, AT(config_hook, http), .finish = config_finish_http,
     .meaning = "Posts the result on, in place of a command (docs/HOOKS.md): the exact body, with "
                "headers `Callback-…` for what a command finds in variables. Success is a status "
                "of 200 to 299."},
    {"hooks[].http.url", KEY_URL, KEY_QUERY, AT(config_http, url),
     .meaning = "Where to. It is fixed, and may lead anywhere, into private networks too."},
    {"hooks[].http.url_file", KEY_SECRET, KEY_SINGLE, AT(config_http, url_file),
     .role = CONFIG_ROLE_WORKER,
     .meaning = "In place of `url`, for a URL that is itself a secret."},
    {"hooks[].http.method", KEY_CHOICE, AT(config_http, method), .choices = http_methods,
     .fallback = "POST", .meaning = "How the body is sent."},
    {"hooks[].http.headers", KEY_HEADERS, AT(config_http, headers),
     .count_offset = offsetof(struct config_http, header_count),
     .meaning = "Further headers: an object of texts, with fields and values of the body in braces "
                "as in `command`. A value with a control character makes the job dead."},
    {"hooks[].http.headers_file", KEY_SECRET, KEY_SINGLE, AT(config_http, headers_file),
     .role = CONFIG_ROLE_WORKER,
     .meaning =
         "Headers that are secrets: lines `Name: value`, as `Authorization: Bearer …`; empty lines "
         "and those that begin with `#` do not count."},
    {"hooks[].http.secret_file", KEY_SECRET, AT(config_http, secret), .role = CONFIG_ROLE_WORKER,
     .meaning = "Secrets of Standard Webhooks, `whsec_…`. Each of a list signs: the receiver may "
                "know either while they are exchanged."},
    {"hooks[].http.ca_file", KEY_SECRET, KEY_SINGLE | KEY_PUBLIC, AT(config_http, ca),
     .role = CONFIG_ROLE_WORKER,
     .meaning = "Authorities, PEM, one of which must vouch for the server, in place of the "
                "system's."},
    {"hooks[].http.certificate_file", KEY_SECRET, KEY_SINGLE | KEY_PUBLIC,
     AT(config_http, certificate), .role = CONFIG_ROLE_WORKER,
     .meaning = "Our certificate with its chain, PEM, for a server that asks for one."},
    {"hooks[].http.private_key_file", KEY_SECRET, KEY_SINGLE, AT(config_http, private_key),
     .role = CONFIG_ROLE_WORKER, .meaning = "The key that belongs to it, PEM."},
    {"hooks[].http.redirects", KEY_INTEGER, AT(config_http, redirects), .minimum = 0, .maximum = 10,
     .fallback = "0",
     .meaning = "How many redirects of the statuses 307 and 308 are followed. Other redirects, and "
                "one from `https` to `http`, never are."},
    {"hooks[].http.private_networks", KEY_BOOL, AT(config_http, private_networks),
     .fallback = "false",
     .meaning = "Lets a redirect lead to loopback, a private, a link-local or another address that "
                "is not of the public internet."},
    {"hooks[].http.fail_on", KEY_STATUSES, AT(config_http, fail_on),
     .meaning = "Statuses after which the job is dead at once. Without it, `[410]`. All others but "
                "200 to 299 are retried."},
    {"hooks[].mode", KEY_CHOICE, AT(config_hook, mode), .choices = modes, .fallback = "process",
     .meaning =
         "`process`: it is started for each job. `stream`: it is started once (in "
         "`concurrency` copies), reads a JSON line for each job on its standard input, and answers "
         "with one on its standard output; see [STREAM_HOOKS.md](STREAM_HOOKS.md). Its arguments "
         "take no fields then."},
    {"hooks[].window", KEY_INTEGER, AT(config_hook, window), .minimum = 1, .maximum = 10000,
     .fallback = "16",
     .meaning = "Of a stream: how many jobs each copy is given before it has answered the first."},
    {"hooks[].body", KEY_CHOICE, AT(config_hook, body), .choices = line_bodies, .fallback = "json",
     .meaning =
         "Of a stream: how the line tells the body. `json`: as `body`, where it is JSON, else as "
         "`body_base64`; `base64`: always that, byte for byte."},
    {"hooks[].directory", KEY_PATH, AT(config_hook, directory), .fallback = ".",
     .meaning = "The working directory; `.` is the configuration file's own."},
    {"hooks[].env", KEY_VARIABLES, AT(config_hook, env),
     .count_offset = offsetof(struct config_hook, env_count),
     .meaning = "Further variables: an object of texts. Names that begin with `CALLBACK_` are "
                "ours."},
    {"hooks[].env_file", KEY_SECRET, KEY_SINGLE, AT(config_hook, env_file),
     .role = CONFIG_ROLE_WORKER,
     .meaning = "Variables that are secrets: lines `NAME=value`, the value as it stands, without "
                "quotes; empty lines and those that begin with `#` do not count. Where `env` has "
                "the same name, that counts."},
    {"hooks[].user", KEY_TEXT, AT(config_hook, user),
     .meaning = "Runs it as this user (name or number), with that user's groups and home. Only a "
                "daemon that was started as root can."},
    {"hooks[].group", KEY_TEXT, AT(config_hook, group),
     .meaning = "Its group, in place of the user's own."},
    {"hooks[].umask", KEY_MODE, AT(config_hook, mode_mask), .fallback = "0022",
     .meaning = "Permissions that files made by it do not get, in octal."},
    {"hooks[].nice", KEY_INTEGER, AT(config_hook, nice), .minimum = -20, .maximum = 19,
     .fallback = "0", .meaning = "Its niceness, 19 for what may wait; `0`: the daemon's own."},
    {"hooks[].limits", KEY_OBJECT, AT(config_hook, limits),
     .meaning =
         "What each of its processes may use. What is `0`, or over the daemon's own limit, is "
         "that limit."},
    {"hooks[].limits.cpu", KEY_DURATION, AT(config_hook_limits, cpu_ms), .minimum = 0,
     .maximum = YEAR, .fallback = "0s",
     .meaning = "Processor time, in whole seconds; then it gets SIGKILL."},
    {"hooks[].limits.memory", KEY_SIZE, AT(config_hook_limits, memory_bytes), .minimum = 0,
     .maximum = 1024 * GIB, .fallback = "0B",
     .meaning = "Address space: allocations beyond it fail."},
    {"hooks[].limits.file_size", KEY_SIZE, AT(config_hook_limits, file_bytes), .minimum = 0,
     .maximum = 1024 * GIB, .fallback = "0B", .meaning = "The largest file that it may write."},
    {"hooks[].limits.open_files", KEY_INTEGER, AT(config_hook_limits, open_files), .minimum = 0,
     .maximum = 1000000, .fallback = "0", .meaning = "Open descriptors."},
    {"hooks[].limits.processes", KEY_INTEGER, AT(config_hook_limits, processes), .minimum = 0,
     .maximum = 1000000, .fallback = "0",
     .meaning =
         "Processes and threads of its user, all together and not only of this hook; root is "
         "not limited."},
    {"hooks[].limits.core", KEY_SIZE, AT(config_hook_limits, core_bytes), .minimum = 0,
     .maximum = 1024 * GIB, .fallback = "0B", .meaning = "Core dumps; here `0B` is none."},
    {"hooks[].timeout", KEY_DURATION, AT(config_hook, timeout_ms), .minimum = 1,
     .maximum = 30 * DAY, .fallback = "30s",
     .meaning =
         "After this its process group gets SIGTERM, then SIGKILL; a request is broken off. Of a "
         "stream: it counts for the job that a copy has had longest, from when it is that."},
    {"hooks[].concurrency", KEY_INTEGER, AT(config_hook, concurrency), .minimum = 1,
     .maximum = 10000, .fallback = "4",
     .meaning = "How many of this hook may run at once; of a stream, how many copies of it."},
    {"hooks[].rate", KEY_RATE, AT(config_hook, rate), .minimum = 1, .maximum = 1000000,
     .meaning =
         "How many attempts may start in any second (`\"10/s\"`), minute (`\"5/m\"`), hour or "
         "day, retries too. Without it, as many as there are."},
    {"hooks[].priority", KEY_INTEGER, AT(config_hook, priority), .minimum = -1000, .maximum = 1000,
     .fallback = "0", .meaning = "Jobs of higher priority run first."},
    {"hooks[].order", KEY_CHOICE, AT(config_hook, order), .choices = orders, .fallback = "none",
     .meaning = "Jobs of the same execution, or of the same workflow, run one at a time and in the "
                "order in which they came: while one is retried, those behind it wait."},
    {"hooks[].delay", KEY_DURATION, AT(config_hook, delay_ms), .minimum = 0, .maximum = YEAR,
     .fallback = "0s", .meaning = "Waits this long before the first attempt."},
    {"hooks[].give_up_after", KEY_DURATION, AT(config_hook, give_up_after_ms), .minimum = 0,
     .maximum = YEAR, .fallback = "1d",
     .meaning =
         "A job that has not succeeded this long after its creation is dead, though its hook "
         "was paused; longer than `delay`. `0s`: only the attempts count."},
    {"hooks[].retry", KEY_OBJECT, AT(config_hook, retry), .finish = config_finish_retry,
     .meaning = "What follows a failure. The pause doubles on average, and is up to chance."},
    {"hooks[].retry.attempts", KEY_INTEGER, AT(config_retry, attempts), .minimum = 1,
     .maximum = 1000, .fallback = "5", .meaning = "All of them, the first too."},
    {"hooks[].retry.first_delay", KEY_DURATION, AT(config_retry, first_delay_ms), .minimum = 0,
     .maximum = 30 * DAY, .fallback = "1s",
     .meaning = "Between the first two attempts, on average: chance takes anything up to twice "
                "this."},
    {"hooks[].retry.max_delay", KEY_DURATION, AT(config_retry, max_delay_ms), .minimum = 1,
     .maximum = 30 * DAY, .fallback = "5m", .meaning = "No pause is longer than this."},
    {"hooks[].fail_on", KEY_EXITS, AT(config_hook, fail_on),
     .meaning =
         "Exit codes after which the job is dead at once. Without it, `[65]` (`EX_DATAERR`)."},
    {"hooks[].retry_on", KEY_EXITS, AT(config_hook, retry_on),
     .meaning =
         "Exit codes that are retried; then all others make the job dead at once, but for 75 "
         "(`EX_TEMPFAIL`). Without it, all that `fail_on` does not name."},
    {"hooks[].on_dead", KEY_TEXT, AT(config_hook, on_dead),
     .meaning = "The hook that is told when a job of this one is dead; it `takes` `\"dead\"`."},
    {"hooks[].takes", KEY_CHOICE, AT(config_hook, takes), .choices = takes, .fallback = "results",
     .meaning =
         "What its jobs are of: results, or jobs of those hooks that name it in `on_dead`. Of "
         "the latter it is told in `{dead_hook}`, `{dead_job_id}`, `{dead_reason}` and "
         "`CALLBACK_DEAD_…`."},

    {"hooks[].when", KEY_WHEN, AT(config_hook, when),
     .meaning = "Conditions that must all hold. Without `status` a hook takes every final "
                "result."},
    {"hooks[].when.status", KEY_CONDITION, .shape = "list of statuses",
     .meaning = "`success` `failed` `received` `running` `truncated`; `mismatch` exists, but "
                "triggers nothing."},
    {"hooks[].when.workflow", KEY_CONDITION, .shape = "glob",
     .meaning = "The run's workflow: `*` any text, `?` one byte, `[a-z]` a set."},
    {"hooks[].when.endpoint", KEY_CONDITION, .shape = "name", .meaning = "An endpoint."},
    {"hooks[].when.event", KEY_CONDITION, .shape = "glob",
     .meaning = "The type of a workspace event."},
    {"hooks[].when.match", KEY_CONDITION, .shape = "list of objects",
     .meaning = "Looks into the post. Each element names one `pointer` or `header`, and one of "
                "`equals` `glob` `regex` `exists`."},
    {"hooks[].when.all", KEY_CONDITION, .shape = "list of conditions",
     .meaning = "Each element is an object like `when`; every one must hold."},
    {"hooks[].when.any", KEY_CONDITION, .shape = "list of conditions",
     .meaning = "One of them must hold."},
    {"hooks[].when.not", KEY_CONDITION, .shape = "condition",
     .meaning = "An object like `when` that must not hold."},
    {"hooks[].when.match[].pointer", KEY_CONDITION, .shape = "JSON pointer",
     .meaning = "A value of the body."},
    {"hooks[].when.match[].header", KEY_CONDITION, .shape = "text",
     .meaning = "A header of the post; case does not matter."},
    {"hooks[].when.match[].equals", KEY_CONDITION, .shape = "text, number, true, false, null",
     .meaning = "It is this, in this spelling."},
    {"hooks[].when.match[].glob", KEY_CONDITION, .shape = "glob", .meaning = "It fits this."},
    {"hooks[].when.match[].regex", KEY_CONDITION, .shape = "regular expression",
     .meaning = "This is found in it (PCRE2; `^` and `$` tie it down)."},
    {"hooks[].when.match[].exists", KEY_CONDITION, .shape = "true or false",
     .meaning = "It is there, or it is not."},
};
/* clang-format on */

enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

const struct config_key *config_key_find(const char *pattern)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(keys[i].pattern, pattern) == 0)
            return &keys[i];
    return NULL;
}

const char *config_key_name(const struct config_key *key)
{
    const char *dot = strrchr(key->pattern, '.');
    return dot ? dot + 1 : key->pattern;
}

/* The elements of "hooks" are "hooks[]": their members begin with "hooks[].". The members of an
 * element of "match" stand below a condition, which is no list to the reader. */
static bool is_member(const struct config_key *parent, const struct config_key *key)
{
    const char *rest = key->pattern;
    if (parent) {
        size_t length = strlen(parent->pattern);
        if (strncmp(rest, parent->pattern, length) != 0)
            return false;
        rest += length;
        if (strncmp(rest, "[]", 2) == 0)
            rest += 2;
        if (*rest++ != '.')
            return false;
    }
    return strpbrk(rest, ".[") == NULL;
}

const struct config_key *config_key_next(
    const struct config_key *parent, const struct config_key *previous)
{
    for (const struct config_key *key = previous ? previous + 1 : keys; key < keys + KEY_COUNT;
         key++)
        if (is_member(parent, key))
            return key;
    return NULL;
}

const struct config_key *config_key_member(const struct config_key *parent, const char *name)
{
    for (const struct config_key *key = config_key_next(parent, NULL); key;
         key = config_key_next(parent, key))
        if (strcmp(config_key_name(key), name) == 0)
            return key;
    return NULL;
}

const char *config_key_nearest(const struct config_key *parent, const char *name)
{
    const struct config_key *nearest = NULL;
    size_t nearest_distance = SIZE_MAX;
    for (const struct config_key *key = config_key_next(parent, NULL); key;
         key = config_key_next(parent, key)) {
        size_t distance = text_distance(name, config_key_name(key));
        if (distance < nearest_distance || !nearest) {
            nearest = key;
            nearest_distance = distance;
        }
    }
    enum { TYPING_ERROR = 2 };
    if (nearest && nearest_distance <= TYPING_ERROR)
        return config_key_name(nearest);
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(config_key_name(&keys[i]), name) == 0)
            return keys[i].pattern;
    return nearest ? config_key_name(nearest) : keys[0].pattern;
}
