/* SPDX-License-Identifier: MIT */
/* Loading and freeing a configuration, and looking things up in it. */
#include "config_private.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

static char *absolute_path(const char *path)
{
    if (path[0] == '/')
        return text_copy(path);
    CLEANUP_FREE char *here = getcwd(NULL, 0);
    return here ? os_path_join(here, path) : NULL;
}

/* "/etc/callbackd" of "/etc/callbackd/callbackd.json"; the path is absolute. */
static char *folder_of(const char *path)
{
    size_t length = (size_t)(strrchr(path, '/') - path);
    return length == 0 ? text_copy("/") : strndup(path, length);
}

struct config *config_new(const char *path, struct bytes text)
{
    struct config *config = calloc(1, sizeof *config);
    if (!config)
        return NULL;
    config->path = absolute_path(path);
    config->directory = config->path ? folder_of(config->path) : NULL;
    config->text = strndup(text.length > 0 ? (const char *)text.data : "", text.length);
    if (config->path && config->directory && config->text)
        return config;
    config_free(config);
    return NULL;
}

/* Steps over `word` and the number behind it; -1 when they are not there. */
static int take_number(const char **at, const char *word)
{
    size_t length = strlen(word);
    char *end = NULL;
    if (strncmp(*at, word, length) != 0)
        return -1;
    long number = strtol(*at + length, &end, 10);
    *at = end;
    return number > 0 && number < INT_MAX ? (int)number : -1;
}

/* The parser says where it stopped as "line 3, column 7: …". */
static void add_syntax_problem(struct config_problems *problems, const struct error *error)
{
    const char *at = error->message;
    int line = take_number(&at, "line ");
    int column = line > 0 ? take_number(&at, ", column ") : -1;
    if (column < 0 || strncmp(at, ": ", 2) != 0)
        config_problem_add(problems, 0, "", text_copy(error->message));
    else
        config_problem_add(
            problems, line, "",
            text_format(
                "%s at column %d (correct it: the file is JSON with comments)", at + 2, column));
}

int config_parse(
    struct config *config, const struct packed_secrets *packed, const char *const *wanted,
    struct config_problems *problems)
{
    struct error error;
    struct json_document *document = json_parse_commented(bytes_of_text(config->text), &error);
    if (!document) {
        add_syntax_problem(problems, &error);
        return -1;
    }
    struct config_reader reader = {
        .config = config,
        .document = document,
        .problems = problems,
        .packed = packed,
        .wanted = wanted,
    };
    config_read_file(&reader);
    config_check(&reader);
    json_document_free(document);
    if (reader.memory_short)
        config_problem_add(problems, 0, "", text_copy("memory is short (free some)"));
    config_problems_sort(problems);
    return problems->count > 0 || reader.memory_short ? -1 : 0;
}

/* A NUL would hide what follows it from the parser. */
static int read_text(const char *path, struct buffer *text, struct config_problems *problems)
{
    struct error error;
    if (os_read_file(path, text, &error) != 0) {
        config_problem_add(
            problems, 0, "", text_format("%s (name the file with --config)", error.message));
        return -1;
    }
    const char *nul = text->length > 0 ? memchr(text->data, '\0', text->length) : NULL;
    if (!nul)
        return 0;
    int line = 1;
    for (const char *c = (const char *)text->data; c < nul; c++)
        line += *c == '\n';
    config_problem_add(problems, line, "", text_copy("has a NUL byte in it (remove it)"));
    return -1;
}

static struct config *load(
    const char *path, const char *const *wanted, struct config_problems *problems)
{
    struct buffer text;
    buffer_init(&text, CONFIG_TEXT_MAX);
    struct config *config = NULL;
    if (read_text(path, &text, problems) == 0) {
        config = config_new(path, buffer_bytes(&text));
        if (!config)
            config_problem_add(
                problems, 0, "", text_format("cannot be opened: %s (try again)", strerror(errno)));
    }
    buffer_fini(&text);
    if (config && config_parse(config, NULL, wanted, problems) != 0) {
        config_free(config);
        config = NULL;
    }
    return config;
}

struct config *config_load(const char *path, struct config_problems *problems)
{
    return load(path, NULL, problems);
}

struct config *config_load_for_client(
    const char *path, const char *const *secrets, struct config_problems *problems)
{
    return load(path, secrets, problems);
}

void config_free(struct config *config)
{
    if (!config)
        return;
    config_fini(config);
    free(config->path);
    free(config->directory);
    free(config->text);
    free(config);
}

const struct config_endpoint *config_endpoint(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->endpoint_count; i++)
        if (strcmp(config->endpoints[i].name, name) == 0)
            return &config->endpoints[i];
    return NULL;
}

const struct config_hook *config_hook(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->hook_count; i++)
        if (strcmp(config->hooks[i].name, name) == 0)
            return &config->hooks[i];
    return NULL;
}
