/* SPDX-License-Identifier: MIT */
/*
 * A load generator for one kind of request: a workflow's result, posted to a
 * server on 127.0.0.1, each post another run's. As many as the server takes, or
 * at a constant rate with latencies that hide nothing. Prints one line of JSON.
 *
 *     load --port N [--path /callback] [--tls] [--key FILE] [--endpoint results]
 *          [--connections 64] [--threads N] [--new-connections] [--body 500]
 *          [--warm-up 0.3] [--seconds 2] [--rate N] [--tokens N]
 *
 * With --key every path ends in a fresh run token of --endpoint; --tokens of them
 * are minted before the clock runs. What is past them is minted on the way.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "load_private.h"

static const struct option long_options[] = {
    {"port", required_argument, NULL, 'p'},
    {"path", required_argument, NULL, 'a'},
    {"tls", no_argument, NULL, 't'},
    {"key", required_argument, NULL, 'k'},
    {"endpoint", required_argument, NULL, 'e'},
    {"connections", required_argument, NULL, 'c'},
    {"threads", required_argument, NULL, 'T'},
    {"new-connections", no_argument, NULL, 'n'},
    {"body", required_argument, NULL, 'b'},
    {"warm-up", required_argument, NULL, 'w'},
    {"seconds", required_argument, NULL, 's'},
    {"rate", required_argument, NULL, 'r'},
    {"tokens", required_argument, NULL, 'm'},
    {NULL, 0, NULL, 0},
};

static int read_key(const char *path, struct load_options *options, struct error *error)
{
    static struct config_secret secret;
    static struct buffer key;
    buffer_init(&key, 4096);
    if (os_read_file(path, &key, error) != 0)
        return -1;
    struct bytes text = buffer_bytes(&key);
    if (text.length > 0 && text.data[text.length - 1] == '\n')
        text.length--;
    secret = (struct config_secret){(unsigned char *)text.data, text.length};
    options->key = (struct config_secrets){&secret, 1};
    return 0;
}

/* -1: no such option, or a bad value. */
static int take_option(struct load_options *options, int option, struct error *error)
{
    switch (option) {
    case 'p':
        options->port = (int)strtol(optarg, NULL, 10);
        return 0;
    case 'a':
        options->path = optarg;
        return 0;
    case 't':
        options->tls = true;
        return 0;
    case 'k':
        return read_key(optarg, options, error);
    case 'e':
        options->endpoint = optarg;
        return 0;
    case 'c':
        options->connections = (int)strtol(optarg, NULL, 10);
        return 0;
    case 'T':
        options->workers = (int)strtol(optarg, NULL, 10);
        return 0;
    case 'n':
        options->new_connections = true;
        return 0;
    case 'b':
        options->body_bytes = (size_t)strtoull(optarg, NULL, 10);
        return 0;
    case 'w':
        options->warm_up_s = strtod(optarg, NULL);
        return 0;
    case 's':
        options->seconds = strtod(optarg, NULL);
        return 0;
    case 'r':
        options->rate = strtod(optarg, NULL);
        return 0;
    case 'm':
        options->tokens = strtoll(optarg, NULL, 10);
        return 0;
    default:
        return error_set(error, ERROR_USAGE, "usage: see the head of load.c");
    }
}

static int read_options(int argc, char **argv, struct load_options *options, struct error *error)
{
    int option;
    *options = (struct load_options){
        .path = "/callback",
        .endpoint = "results",
        .connections = 64,
        .workers = (int)sysconf(_SC_NPROCESSORS_ONLN),
        .body_bytes = 500,
        .warm_up_s = 0.3,
        .seconds = 2,
    };
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (take_option(options, option, error) != 0)
            return -1;
    }
    if (options->port < 1 || options->port > 65535 || options->connections < 1 ||
        options->connections > CONNECTIONS_MAX || options->workers < 1 || options->seconds <= 0)
        return error_set(error, ERROR_USAGE, "usage: see the head of load.c");
    if (options->workers > options->connections)
        options->workers = options->connections;
    if (options->workers > WORKERS_MAX)
        options->workers = WORKERS_MAX;
    return 0;
}

/* Whom we talk to is not checked, and nothing is resumed: a connection is a new one. */
static SSL_CTX *make_tls(struct error *error)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (!tls) {
        error_set(error, ERROR_MEMORY, "no TLS");
        return NULL;
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
    (void)SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_quiet_shutdown(tls, 1);
    return tls;
}

static void add_result(struct load_result *sum, const struct load_result *part)
{
    histogram_merge(&sum->latencies, &part->latencies);
    sum->answers += part->answers;
    sum->errors += part->errors;
    sum->late += part->late;
    for (int i = 0; i < STATUS_MAX; i++)
        sum->statuses[i] += part->statuses[i];
}

static void print_statuses(const struct load_result *result)
{
    const char *separator = "";
    for (int i = 0; i < STATUS_MAX; i++) {
        if (result->statuses[i] == 0)
            continue;
        printf("%s\"%d\":%lld", separator, i, (long long)result->statuses[i]);
        separator = ",";
    }
}

static void print_result(const struct load_options *options, const struct load_result *result)
{
    static const struct {
        const char *name;
        double share;
    } percentiles[] = {{"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p999_us", 0.999}};
    const struct histogram *latencies = &result->latencies;
    printf(
        "{\"per_second\":%.1f,\"counted\":%lld,\"all\":%lld,\"errors\":%lld,\"late\":%lld",
        (double)latencies->count / options->seconds, (long long)latencies->count,
        (long long)result->answers, (long long)result->errors, (long long)result->late);
    printf(",\"statuses\":{");
    print_statuses(result);
    printf("}");
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
        printf(
            ",\"%s\":%lld", percentiles[i].name,
            (long long)histogram_percentile_us(latencies, percentiles[i].share));
    printf(",\"longest_us\":%lld}\n", (long long)latencies->longest_us);
}

static int run(const struct load_options *options, struct load_result *sum, struct error *error)
{
    static struct load_worker workers[WORKERS_MAX];
    pthread_barrier_t start;
    int result = 0;
    SSL_CTX *tls = make_tls(error);
    if (!tls || pthread_barrier_init(&start, NULL, (unsigned)options->workers) != 0)
        return -1;
    for (int i = 0; i < options->workers; i++) {
        workers[i] =
            (struct load_worker){.options = options, .tls = tls, .start = &start, .index = i};
        if (load_worker_start(&workers[i], error) != 0)
            return -1;
    }
    for (int i = 0; i < options->workers; i++) {
        if (load_worker_join(&workers[i], error) != 0)
            result = -1;
        add_result(sum, &workers[i].result);
    }
    SSL_CTX_free(tls);
    return result;
}

int main(int argc, char **argv)
{
    static struct load_result sum;
    struct load_options options;
    struct error error = {0};
    (void)signal(SIGPIPE, SIG_IGN);
    if (read_options(argc, argv, &options, &error) != 0 || run(&options, &sum, &error) != 0) {
        fprintf(stderr, "load: %s\n", error.message);
        return error.code == ERROR_USAGE ? 64 : EXIT_FAILURE;
    }
    print_result(&options, &sum);
    return EXIT_SUCCESS;
}
