/* SPDX-License-Identifier: MIT */
/*
 * Secrets: from files, the environment, systemd's credentials, or a pack. A value
 * is never quoted in a message, only where it should have been.
 */
#include "config_private.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callbackd/os.h"

static const char env_prefix[] = "env:";
static const char credential_prefix[] = "credential:";

void config_secrets_fini(struct config_secrets *secrets)
{
    for (size_t i = 0; secrets->items && i < secrets->count; i++)
        secret_free(secrets->items[i].data, secrets->items[i].length);
    free(secrets->items);
    *secrets = (struct config_secrets){0};
}

/* What is wrong with the file behind the descriptor, as a message; NULL: nothing. */
static const char *file_fault(const struct config_key *key, const struct stat *status)
{
    if (!S_ISREG(status->st_mode))
        return "is not a regular file (name one)";
    if (status->st_mode & S_IWOTH)
        return "can be written by everybody (chmod o-w)";
    if ((status->st_mode & S_IROTH) && !(key->flags & KEY_PUBLIC))
        return "can be read by everybody (chmod 0600, or 0640 with the daemon's group)";
    if (status->st_size == 0)
        return "is empty (put the secret into it)";
    return NULL;
}

static int read_file(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *path, struct buffer *out)
{
    /* Not blocking, or a FIFO would hold up the start for ever. */
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    struct error error;
    if (fd < 0 || fstat(fd, &status) != 0) {
        config_problem(
            reader, place, "cannot read %s: %s (%s)", path, strerror(errno),
            errno == ENOENT ? "make it, or correct the name" : "check its permissions");
        return -1;
    }
    const char *fault = file_fault(key, &status);
    if (fault) {
        config_problem(reader, place, "%s %s", path, fault);
        return -1;
    }
    if (os_read_fd(fd, out, &error) != 0) {
        config_problem(reader, place, "cannot read %s: %s (check it)", path, error.message);
        return -1;
    }
    if (out->length > 0 && out->data[out->length - 1] == '\n')
        out->data[--out->length] = '\0';
    return 0;
}

static int read_environment(
    struct config_reader *reader, const struct config_place *place, const char *name,
    struct buffer *out)
{
    const char *value = getenv(name);
    if (value && *value && buffer_append_text(out, value) == 0)
        return 0;
    config_problem(
        reader, place, "the environment variable \"%s\" is %s (set it where the daemon is started)",
        name,
        value && *value ? "too long"
        : value         ? "empty"
                        : "not set");
    return -1;
}

static int read_credential(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *name, struct buffer *out)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    if (!directory || !*directory) {
        config_problem(
            reader, place,
            "there are no credentials here: CREDENTIALS_DIRECTORY is not set (use "
            "LoadCredential= in the systemd unit)");
        return -1;
    }
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        config_problem(
            reader, place, "\"%s\" is not a credential's name (use its plain name)", name);
        return -1;
    }
    CLEANUP_FREE char *path = os_path_join(directory, name);
    return config_have(reader, path) ? read_file(reader, key, place, path, out) : -1;
}

static int read_source(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *source, struct buffer *out)
{
    if (strncmp(source, env_prefix, strlen(env_prefix)) == 0)
        return read_environment(reader, place, source + strlen(env_prefix), out);
    if (strncmp(source, credential_prefix, strlen(credential_prefix)) == 0)
        return read_credential(reader, key, place, source + strlen(credential_prefix), out);
    CLEANUP_FREE char *path = os_path_join(reader->config->directory, source);
    return config_have(reader, path) ? read_file(reader, key, place, path, out) : -1;
}

/* A header's value ends at a line break, and a token has no blanks in it. */
static bool fits_header(const struct buffer *secret)
{
    for (size_t i = 0; i < secret->length; i++)
        if (!isgraph(secret->data[i]))
            return false;
    return true;
}

static int check_secret(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const struct buffer *secret)
{
    if (secret->length == 0)
        config_problem(reader, place, "is empty (put the secret into it)");
    else if ((int64_t)secret->length < key->minimum)
        config_problem(
            reader, place, "is only %zu bytes long (use %lld random bytes or more)", secret->length,
            (long long)key->minimum);
    else if ((key->flags & KEY_HEADER) && !fits_header(secret))
        config_problem(
            reader, place,
            "has a blank, a line break or a byte that is not ASCII in it (one token "
            "and nothing else)");
    else
        return 0;
    return -1;
}

/* A pack knows a single secret as the first of a list. */
static void take_packed(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    struct buffer *out)
{
    if (!(key->role & reader->packed->role))
        return;
    struct buffer name;
    buffer_init(&name, CONFIG_PLACE_MAX);
    config_place_print(place, &name);
    if (place->name)
        buffer_append_text(&name, "[0]");
    const struct packed_secrets *packed = reader->packed;
    size_t i = 0;
    while (i < packed->count && !bytes_equal(packed->items[i].place, buffer_bytes(&name)))
        i++;
    if (i < packed->count)
        config_have(reader, buffer_append_bytes(out, packed->items[i].value) == 0 ? out : NULL);
    else
        config_problem(reader, place, "is not in the pack (it was cut)");
    buffer_fini(&name);
}

static bool is_wanted(const struct config_reader *reader, const struct config_key *key)
{
    const char *const *wanted = reader->wanted;
    while (wanted && *wanted && strcmp(*wanted, key->pattern) != 0)
        wanted++;
    return !wanted || *wanted;
}

static void read_secret(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    struct config_secret *secret)
{
    const char *source = config_text_at(reader, place);
    if (!source || !is_wanted(reader, key))
        return;
    struct buffer value;
    buffer_init_secret(&value, CONFIG_SECRET_MAX);
    if (reader->packed)
        take_packed(reader, key, place, &value);
    else if (
        read_source(reader, key, place, source, &value) != 0 ||
        check_secret(reader, key, place, &value) != 0)
        buffer_clear(&value);
    if (value.length > 0) {
        size_t length = value.length;
        secret->data = (unsigned char *)buffer_take(&value);
        secret->length = secret->data ? length : 0;
        config_have(reader, secret->data);
    }
    buffer_fini(&value);
}

void config_read_secrets(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    void *base)
{
    struct config_secrets *secrets = (void *)((char *)base + key->offset);
    const char *single = json_get_text(place->value);
    if (single && *single == '\0' && !(key->flags & KEY_REQUIRED))
        return;
    bool list = json_type_of(place->value) == JSON_TYPE_ARRAY;
    if (list && (key->flags & KEY_SINGLE)) {
        config_problem(reader, place, "is a list (it can only be one file: write its name)");
        return;
    }
    if (!single && !list) {
        config_problem(
            reader, place,
            "is %s (write a file's name, \"env:NAME\", \"credential:NAME\", or a list of them)",
            json_type_name(json_type_of(place->value)));
        return;
    }
    size_t count = list ? json_count(place->value) : 1;
    if (count == 0) {
        config_problem(reader, place, "is an empty list (name a file, or remove it)");
        return;
    }
    secrets->items = calloc(count, sizeof *secrets->items);
    if (!config_have(reader, secrets->items))
        return;
    secrets->count = count;
    if (!list) {
        read_secret(reader, key, place, &secrets->items[0]);
        return;
    }
    size_t index = 0;
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const struct config_place element = config_element(place, index, value);
        read_secret(reader, key, &element, &secrets->items[index++]);
    }
}
