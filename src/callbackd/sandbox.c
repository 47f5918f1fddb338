/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "callbackd/log.h"
#include "callbackd/os.h"
#include "sandbox_private.h"

int sandbox_probe(struct error *error)
{
    return sandbox_calls_probe(error) != 0 ? -1 : sandbox_files_probe(error);
}

/* What libraries read from files when they first need it, which will be too late. */
static void let_libraries_read(void)
{
    tzset();
    OPENSSL_init_crypto(
        OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS,
        NULL);
}

static void forbid_cores(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

/* -1: what is required cannot be had. */
static int weigh(enum config_sandbox mode, const char *protection, int outcome, struct error *error)
{
    if (outcome == 0)
        return 0;
    if (mode == SANDBOX_REQUIRED)
        return error_prefix(error, "\"sandbox\" is \"required\"");
    log_warning(
        "the receiver lacks a protection", LOG_TEXT("protection", protection), LOG_ERROR(error));
    return 0;
}

static int open_directory(const char *path, struct sandbox *sandbox)
{
    struct stat status;
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &status) == 0) {
        sandbox->device = status.st_dev;
        sandbox->inode = status.st_ino;
    }
    return fd;
}

int sandbox_enter(
    enum config_sandbox mode, const char *directory, struct sandbox *sandbox_out,
    struct error *error)
{
    struct sandbox sandbox = {0};
    if (mode == SANDBOX_OFF) {
        log_warning("the receiver is not restricted, as configured");
        *sandbox_out = sandbox;
        return 0;
    }
    let_libraries_read();
    forbid_cores();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return error_set_errno(error, ERROR_INTERNAL, errno, "cannot give up new privileges");
    CLEANUP_FD int fd = open_directory(directory, &sandbox);
    /* In this order: the calls of the first are not among those that the second leaves. */
    int files = sandbox_files_restrict(fd, error);
    sandbox.landlock = files == 0;
    if (weigh(mode, "landlock", files, error) != 0)
        return -1;
    int calls = sandbox_calls_restrict(error);
    sandbox.seccomp = calls == 0;
    if (weigh(mode, "seccomp", calls, error) != 0)
        return -1;
    log_info(
        "the receiver is restricted", LOG_BOOL("seccomp", sandbox.seccomp),
        LOG_BOOL("landlock", sandbox.landlock));
    *sandbox_out = sandbox;
    return 0;
}

bool sandbox_is_outlived(const struct sandbox *sandbox, const char *directory)
{
    struct stat status;
    return sandbox->landlock && stat(directory, &status) == 0 &&
           (status.st_dev != sandbox->device || status.st_ino != sandbox->inode);
}
