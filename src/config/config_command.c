/* SPDX-License-Identifier: MIT */
/* What a hook runs: its program, arguments and variables. */
#include "config_private.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum { PROGRAM_PATH_MAX = 2 * 4096 };

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static bool is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
           faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

static bool is_in_path(const char *name)
{
    const char *path = getenv("PATH");
    if (!path || !*path)
        path = default_path;
    while (*path) {
        size_t length = strcspn(path, ":");
        char candidate[PROGRAM_PATH_MAX];
        int written = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, path, name);
        if (length > 0 && written > 0 && (size_t)written < sizeof candidate &&
            is_program(candidate))
            return true;
        path += length + (path[length] == ':');
    }
    return false;
}

static void check_program(
    struct config_reader *reader, const struct config_place *place, const char *program)
{
    struct stat status;
    if (!strchr(program, '/')) {
        if (!is_in_path(program))
            config_problem(
                reader, place,
                "no program \"%s\" is in PATH (install it, or write its path, as ./%s)", program,
                program);
    } else if (stat(program, &status) != 0) {
        config_problem(
            reader, place,
            "there is no file %s (correct the path: it is relative to the "
            "configuration file)",
            program);
    } else if (!is_program(program)) {
        config_problem(reader, place, "%s cannot be executed (chmod +x)", program);
    }
}

/* The folder's name may have braces in it, which a template would take for fields. */
static char *quote_braces(struct config_reader *reader, const char *text)
{
    struct buffer quoted;
    buffer_init(&quoted, PROGRAM_PATH_MAX);
    for (const char *c = text; *c; c++) {
        if (*c == '{' || *c == '}')
            buffer_append_char(&quoted, *c);
        buffer_append_char(&quoted, *c);
    }
    char *taken = buffer_failed(&quoted) ? NULL : buffer_take(&quoted);
    config_have(reader, taken);
    buffer_fini(&quoted);
    return taken;
}

/* Who posts may not choose what runs. */
static char *read_program(
    struct config_reader *reader, const struct config_place *place, const char *text)
{
    if (strpbrk(text, "{}")) {
        config_problem(
            reader, place,
            "\"%s\" has braces in it, and a program is fixed (only arguments may take fields)",
            text);
        return NULL;
    }
    CLEANUP_FREE char *program =
        strchr(text, '/') ? os_path_join(reader->config->directory, text) : text_copy(text);
    if (!config_have(reader, program))
        return NULL;
    if (strlen(program) > PROGRAM_PATH_MAX / 2) {
        config_problem(reader, place, "is longer than a path may be (shorten it)");
        return NULL;
    }
    if (config_looks_around(reader))
        check_program(reader, place, program);
    return quote_braces(reader, program);
}

static char *read_argument(
    struct config_reader *reader, const struct config_place *place, const char *text)
{
    const char *name;
    size_t length;
    const char *fault = config_template_fault(text, &name, &length);
    if (fault && name)
        config_problem(reader, place, "{%.*s} %s", (int)length, name, fault);
    else if (fault)
        config_problem(reader, place, "\"%s\" %s", text, fault);
    char *argument = fault ? NULL : text_copy(text);
    if (!fault)
        config_have(reader, argument);
    return argument;
}

void config_read_command(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    void *base)
{
    if (!config_is_type(reader, place, JSON_TYPE_ARRAY))
        return;
    size_t count = json_count(place->value);
    if (count == 0) {
        config_problem(reader, place, "is empty (its first element is the program)");
        return;
    }
    char **command = calloc(count + 1, sizeof *command);
    if (!config_have(reader, command))
        return;
    memcpy((char *)base + key->offset, &command, sizeof command);
    size_t index = 0;
    size_t used = 0;
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const struct config_place element = config_element(place, index, value);
        const char *text = json_get_text(value);
        if (index == 0)
            text = config_text_at(reader, &element);
        else if (!text)
            config_is_type(reader, &element, JSON_TYPE_STRING);
        char *argument = !text        ? NULL
                         : index == 0 ? read_program(reader, &element, text)
                                      : read_argument(reader, &element, text);
        if (argument)
            command[used++] = argument;
        index++;
    }
}

static const char *variable_fault(const char *name)
{
    const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    if (!*name || name[strspn(name, allowed)] != '\0' || (*name >= '0' && *name <= '9'))
        return "is not a variable's name (use letters, digits and '_', no digit first)";
    if (strncmp(name, "CALLBACK_", strlen("CALLBACK_")) == 0)
        return "is one of ours: they begin with CALLBACK_ (choose another name)";
    return NULL;
}

void config_read_variables(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    void *base)
{
    if (!config_is_type(reader, place, JSON_TYPE_OBJECT) || json_count(place->value) == 0)
        return;
    struct config_variable *variables = calloc(json_count(place->value), sizeof *variables);
    if (!config_have(reader, variables))
        return;
    memcpy((char *)base + key->offset, &variables, sizeof variables);
    size_t count = 0;
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const char *name = json_key_of(value);
        const struct config_place member = {.parent = place, .name = name, .value = value};
        const char *fault = variable_fault(name);
        if (fault)
            config_problem(reader, &member, "\"%s\" %s", name, fault);
        if (!config_is_type(reader, &member, JSON_TYPE_STRING))
            continue;
        variables[count].name = text_copy(name);
        variables[count].value = text_copy(json_get_text(value));
        config_have(reader, variables[count].name);
        config_have(reader, variables[count].value);
        count++;
    }
    memcpy((char *)base + key->count_offset, &count, sizeof count);
}

/* ---- env_file ---- */

bool config_pair_next(
    struct bytes text, char separator, size_t *at, struct bytes *name_out, struct bytes *value_out)
{
    const char *data = (const char *)text.data;
    while (*at < text.length) {
        const char *line = data + *at;
        const char *newline = memchr(line, '\n', text.length - *at);
        size_t length = newline ? (size_t)(newline - line) : text.length - *at;
        *at += length + (newline ? 1 : 0);
        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (length == 0 || line[0] == '#')
            continue;
        const char *found = memchr(line, separator, length);
        size_t name_length = found ? (size_t)(found - line) : length;
        *name_out = bytes_of(line, name_length);
        *value_out = found ? bytes_of(found + 1, length - name_length - 1) : bytes_of(NULL, 0);
        return found != NULL;
    }
    *name_out = bytes_of(NULL, 0);
    return false;
}

static bool has_nul(struct bytes text)
{
    return text.length > 0 && memchr(text.data, '\0', text.length) != NULL;
}

bool config_env_file_next(
    struct bytes text, size_t *at, struct bytes *name_out, struct bytes *value_out)
{
    return config_pair_next(text, '=', at, name_out, value_out) && !has_nul(*name_out) &&
           !has_nul(*value_out);
}

/* Its lines are told by their number: their text may be secret. */
static void check_env_file(
    struct config_reader *reader, const struct config_place *place, struct bytes text)
{
    size_t at = 0;
    struct bytes name;
    struct bytes value;
    for (;;) {
        bool more = config_env_file_next(text, &at, &name, &value);
        if (!more && !name.data)
            return;
        CLEANUP_FREE char *copy = strndup((const char *)name.data, name.length);
        const char *fault = !more ? "is no NAME=value" : copy ? variable_fault(copy) : NULL;
        int line = 1;
        for (const unsigned char *c = text.data; c < name.data; c++)
            line += *c == '\n';
        if (fault)
            config_problem(
                reader, place, "line %d of it %s%s", line, more ? "names what " : "", fault);
        if (!more)
            return;
    }
}

static void check_identity(
    struct config_reader *reader, const struct config_place *place, const struct config_hook *hook)
{
    const struct config_place member = config_member(place, hook->user ? "user" : "group");
    struct os_identity identity;
    struct error error;
    if ((!hook->user && !hook->group) || reader->packed)
        return;
    if (os_identity_find(hook->user, hook->group, &identity, &error) != 0) {
        config_problem(reader, &member, "%s (correct it)", error.message);
        return;
    }
    if (!os_identity_may_be_taken(&identity))
        config_problem(
            reader, &member,
            "is another one than the daemon's own (start the daemon as root, or remove it)");
    os_identity_fini(&identity);
}

void config_read_exits(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    void *base)
{
    struct config_exit_codes *codes = (void *)((char *)base + key->offset);
    if (!config_is_type(reader, place, JSON_TYPE_ARRAY))
        return;
    codes->given = true;
    size_t index = 0;
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const struct config_place element = config_element(place, index++, value);
        struct bytes source = json_source(reader->document, value);
        int64_t code;
        if (json_type_of(value) != JSON_TYPE_NUMBER || !text_parse_int64(source, &code) ||
            code < 1 || code >= CONFIG_EXIT_CODES)
            config_problem(
                reader, &element, "is not an exit code (write whole numbers from 1 to %d)",
                CONFIG_EXIT_CODES - 1);
        else
            codes->holds[code] = true;
    }
}

/* A code cannot be both. */
static void check_exits(
    struct config_reader *reader, const struct config_place *place, const struct config_hook *hook)
{
    const struct config_place list = config_member(place, "retry_on");
    for (int code = 1; code < CONFIG_EXIT_CODES; code++) {
        if (hook->retry_on.holds[code] && hook->fail_on.holds[code])
            config_problem(
                reader, &list, "names exit %d, which fail_on names too (keep it in one of them)",
                code);
    }
}

/* What is told of dead jobs chooses nothing itself, and no death of its own is told: no circle. */
static void check_takes(
    struct config_reader *reader, const struct config_place *place, const struct config_hook *hook)
{
    static const char *const unfit[] = {"endpoint", "when", "on_dead"};
    for (size_t i = 0; hook->takes == TAKES_DEAD && i < sizeof unfit / sizeof unfit[0]; i++) {
        const struct config_place member = config_member(place, unfit[i]);
        if (config_is_given(place, unfit[i]))
            config_problem(
                reader, &member,
                "does not fit a hook that takes \"dead\": it is told what on_dead of others says "
                "(remove it)");
    }
}

static void check_delay(
    struct config_reader *reader, const struct config_place *place, const struct config_hook *hook)
{
    char age[32];
    const struct config_place delay = config_member(place, "delay");
    if (hook->give_up_after_ms == 0 || hook->delay_ms < hook->give_up_after_ms)
        return;
    text_format_duration(hook->give_up_after_ms, age, sizeof(age));
    config_problem(
        reader, &delay,
        "is no shorter than give_up_after (%s), so no job of a new result would ever run (make "
        "give_up_after longer, or \"0s\")",
        age);
}

void config_finish_hook(
    struct config_reader *reader, const struct config_place *place, void *target)
{
    struct config_hook *hook = target;
    hook->when.type = CONDITION_ALL; /* without "when", one that always holds */
    const struct config_place endpoint = config_member(place, "endpoint");
    config_check_endpoint(reader, &endpoint, hook->endpoint);
    bool command = config_is_given(place, "command");
    bool shell = config_is_given(place, "shell");
    if (command && shell)
        config_problem(reader, place, "has both a \"command\" and a \"shell\" (keep one of them)");
    else if (!command && !shell && !hook->http.enabled)
        config_problem(
            reader, place,
            "does nothing (give it a \"command\": [\"program\", \"argument\"], a "
            "\"shell\": \"text\" or an \"http\": {\"url\": \"https://…\"})");
    config_check_http_hook(reader, place, hook);
    check_exits(reader, place, hook);
    check_identity(reader, place, hook);
    const struct config_place env_file = config_member(place, "env_file");
    for (size_t i = 0; i < hook->env_file.count; i++)
        check_env_file(
            reader, &env_file,
            bytes_of(hook->env_file.items[i].data, hook->env_file.items[i].length));
    check_takes(reader, place, hook);
    check_delay(reader, place, hook);
    config_check_stream(reader, place, hook);
    struct stat status;
    const struct config_place directory = config_member(place, "directory");
    if (hook->directory && config_looks_around(reader) &&
        (stat(hook->directory, &status) != 0 || !S_ISDIR(status.st_mode)))
        config_problem(
            reader, &directory, "there is no folder %s (make it, or correct the path)",
            hook->directory);
}
