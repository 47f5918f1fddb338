/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callbackd/json_writer.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "certificate.h"
#include "exit_status.h"
#include "init_files.h"
#include "init_next_steps.h"
#include "verbs.h"

enum { FILE_BYTES = 64 * 1024, DEFAULT_PORT = 8443, DEFAULT_ADMIN_PORT = 8081, PORT_MAX = 65535 };

#define CERTIFICATE "certs/server.pem"
#define PRIVATE_KEY "certs/server.key"

static const struct option_row init_options[] = {
    {OPTION_PUBLIC_URL, "public-url", "URL",
     "how the sender reaches the daemon (https://127.0.0.1:PORT)"},
    {OPTION_PORT, "port", "N", "where results arrive (8443); 0: the kernel chooses"},
    {OPTION_ADMIN_PORT, "admin-port", "N", "the admin API (8081); 0: the kernel chooses"},
    {OPTION_MISSING, "missing", NULL, "write only what is not there yet"},
    {OPTION_END, NULL, NULL, NULL},
};

struct init {
    const char *directory;
    const char *host; /* of the public URL; NULL: none */
    struct init_settings settings;
    bool missing; /* --missing */
};

static bool is_there(const struct init *init, const char *name)
{
    CLEANUP_FREE char *path = os_path_join(init->directory, name);
    struct stat status;
    return path && lstat(path, &status) == 0;
}

/* Nothing is ever replaced: a lost key makes every URL that it signed worthless. */
static int create(
    const struct init *init, const char *name, mode_t mode, struct bytes content,
    struct error *error)
{
    CLEANUP_FREE char *path = os_path_join(init->directory, name);
    if (!path)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot make %s", path);
    if (os_write_all(fd, content, error) != 0 || fchmod(fd, mode) != 0 || fsync(fd) != 0) {
        int reason = errno;
        unlink(path);
        return error_set_errno(error, ERROR_IO, reason, "cannot write %s", path);
    }
    return 0;
}

static int write_files(const struct init *init, struct error *error)
{
    for (const struct init_file *file = init_files; file->name; file++) {
        if (is_there(init, file->name))
            continue; /* only with --missing do we come here */
        CLEANUP_BUFFER struct buffer content;
        buffer_init_secret(&content, FILE_BYTES);
        if (file->write(&init->settings, &content, error) != 0 ||
            create(init, file->name, file->mode, buffer_bytes(&content), error) != 0)
            return -1;
    }
    return 0;
}

static int write_certificate(const struct init *init, struct error *error)
{
    bool has_certificate = is_there(init, CERTIFICATE);
    if (has_certificate != is_there(init, PRIVATE_KEY))
        return error_set(
            error, ERROR_CONFLICT,
            "%s has one of " CERTIFICATE " and " PRIVATE_KEY " without the other: move it away",
            init->directory);
    if (has_certificate)
        return 0;
    CLEANUP_BUFFER struct buffer certificate;
    CLEANUP_BUFFER struct buffer key;
    buffer_init(&certificate, FILE_BYTES);
    buffer_init_secret(&key, FILE_BYTES);
    if (certificate_make(init->host, &certificate, &key, error) != 0 ||
        create(init, PRIVATE_KEY, 0600, buffer_bytes(&key), error) != 0)
        return -1;
    return create(init, CERTIFICATE, 0644, buffer_bytes(&certificate), error);
}

static int refuse_existing(const struct init *init, struct error *error)
{
    const char *found = NULL;
    for (const struct init_file *file = init_files; file->name && !found; file++)
        found = is_there(init, file->name) ? file->name : NULL;
    if (!found && is_there(init, CERTIFICATE))
        found = CERTIFICATE;
    if (!found && is_there(init, PRIVATE_KEY))
        found = PRIVATE_KEY;
    if (!found || init->missing)
        return 0;
    error_set(
        error, ERROR_CONFLICT,
        "%s has a %s already: nothing was written (--missing writes only what is not there)",
        init->directory, found);
    error->code = ERROR_IO; /* it is this machine that is in the way, not an API */
    return -1;
}

static int make_directories(const struct init *init, struct error *error)
{
    static const struct {
        const char *name;
        mode_t mode;
    } rows[] = {{"certs", 0755}, {"hooks", 0755}, {"store", 0700}};
    if (os_make_directories(init->directory, 0755, error) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP_FREE char *path = os_path_join(init->directory, rows[i].name);
        if (!path)
            return error_set(error, ERROR_MEMORY, "no memory for a path");
        if (os_make_directories(path, rows[i].mode, error) != 0)
            return -1;
    }
    return 0;
}

static int say_next(const struct session *session, const struct init *init, struct error *error)
{
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, FILE_BYTES);
    CLEANUP_FREE char *directory = realpath(init->directory, NULL);
    CLEANUP_FREE char *config =
        os_path_join(directory ? directory : init->directory, "callbackd.json");
    if (!config)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    if (session->display.json) {
        struct json_writer writer;
        json_writer_init(&writer, &out);
        json_object_begin(&writer);
        json_member_text(&writer, "directory", directory);
        json_member_text(&writer, "config", config);
        json_object_end(&writer);
        buffer_append_char(&out, '\n');
    } else {
        init_append_next_steps(
            directory ? directory : init->directory, config, init->settings.public_url, &out);
    }
    return display_write_foreign(&session->display, buffer_bytes(&out), error);
}

static int read_options(struct init *init, const struct arguments *arguments, struct error *error)
{
    init->settings = (struct init_settings){
        .public_url = arguments_value(arguments, OPTION_PUBLIC_URL),
        .port = DEFAULT_PORT,
        .admin_port = DEFAULT_ADMIN_PORT,
    };
    init->missing = arguments_have(arguments, OPTION_MISSING);
    if (arguments_int(arguments, OPTION_PORT, "port", 0, PORT_MAX, &init->settings.port, error) !=
            0 ||
        arguments_int(
            arguments, OPTION_ADMIN_PORT, "admin-port", 0, PORT_MAX, &init->settings.admin_port,
            error) != 0)
        return -1;
    if (init->settings.port != 0 && init->settings.port == init->settings.admin_port)
        return error_set(error, ERROR_USAGE, "--port and --admin-port must differ");
    return 0;
}

static int run_init(struct session *session, struct error *error)
{
    struct init init = {.directory = session_operand(session, 0)};
    if (read_options(&init, &session->arguments, error) != 0)
        return -1;
    CLEANUP_FREE char *host = NULL;
    if (init.settings.public_url) {
        host = init_url_host(init.settings.public_url, error);
        if (!host)
            return -1;
    }
    init.host = host;
    if (refuse_existing(&init, error) != 0 || make_directories(&init, error) != 0 ||
        write_certificate(&init, error) != 0 || write_files(&init, error) != 0 ||
        say_next(session, &init, error) != 0)
        return -1;
    return EXIT_STATUS_DONE;
}

const struct verb verb_init = {
    "init",
    "DIR",
    1,
    1,
    "write a working configuration with secrets and a certificate",
    "Makes callbackd.json, run-token.key, admin.token, a self-signed certificate (certs/) and an "
    "example hook (hooks/notify.sh) in DIR, and says what to do next. What is there is never "
    "replaced: when any of these files exists nothing is written, unless --missing asks for the "
    "others.",
    init_options,
    run_init,
};
