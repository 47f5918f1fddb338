/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/config.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "child.h"
#include "role.h"
#include "supervisor.h"

/* sysexits.h's numbers, by the contract. */
enum { EXIT_USAGE = 64, EXIT_UNAVAILABLE = 69, EXIT_CONFIG = 78 };

struct arguments {
    const char *config_path;
    enum config_role roles;
    bool check;
};

static const char usage[] =
    "Usage: callbackd [--config FILE] [--role all|receiver|worker] [--check]\n"
    "\n"
    "Receives posted results of asynchronous work, stores them, and runs hooks.\n"
    "\n"
    "  --config FILE   the configuration (default /etc/callbackd/callbackd.json)\n"
    "  --role ROLE     all (default), or only the receiver or the worker\n"
    "  --check         report every problem of the configuration, then exit 0 or 78\n"
    "  --version       print the version\n"
    "  --help          print this\n"
    "\n"
    "Signals: SIGTERM and SIGINT stop, SIGHUP reloads the configuration.\n";

static int parse_role(const char *text, enum config_role *role_out)
{
    if (strcmp(text, "all") == 0)
        *role_out = CONFIG_ROLE_ALL;
    else if (strcmp(text, "receiver") == 0)
        *role_out = CONFIG_ROLE_RECEIVER;
    else if (strcmp(text, "worker") == 0)
        *role_out = CONFIG_ROLE_WORKER;
    else
        return -1;
    return 0;
}

/* -1: go on; otherwise the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"role", required_argument, NULL, 'r'},
        {"check", no_argument, NULL, 'k'},        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments->config_path = optarg;
            break;
        case 'r':
            if (parse_role(optarg, &arguments->roles) == 0)
                break;
            fprintf(stderr, "callbackd: --role is all, receiver or worker, not '%s'\n", optarg);
            return EXIT_USAGE;
        case 'k':
            arguments->check = true;
            break;
        case 'v':
            puts("callbackd " CALLBACKD_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            fputs("Try 'callbackd --help'.\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "callbackd: unexpected argument '%s'\n", argv[optind]);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    int role = child_role_of(argv[0]);
    if (role >= 0)
        return role_run((enum child_role)role);

    struct arguments arguments = {
        .config_path = "/etc/callbackd/callbackd.json",
        .roles = CONFIG_ROLE_ALL,
    };
    int status = parse_arguments(argc, argv, &arguments);
    if (status >= 0)
        return status;

    os_keep_memory_private();
    struct config_problems problems = {0};
    struct config *config = config_load(arguments.config_path, &problems);
    supervisor_print_problems(arguments.config_path, &problems);
    config_problems_free(&problems);
    if (config == NULL)
        return EXIT_CONFIG;
    if (arguments.check) {
        config_free(config);
        return EXIT_SUCCESS;
    }

    struct error error = {0};
    if (supervisor_run(config, arguments.roles, &error) == 0)
        return EXIT_SUCCESS;
    log_error("not started", LOG_ERROR(&error));
    return error.code == ERROR_CONFIG ? EXIT_CONFIG : EXIT_UNAVAILABLE;
}
