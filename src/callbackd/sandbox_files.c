/* SPDX-License-Identifier: MIT */
/*
 * Landlock, by its system calls: the C library has none for it, and the kernel's header may be
 * older than the kernel. What the running one knows is asked for, and all of it is restricted.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "sandbox_private.h"

/* Of later headers than Debian 12's. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#endif

/* The versions of the interface in which things came that can be restricted. */
enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_NETWORK = 4, ABI_IOCTL = 5, ABI_SCOPE = 6 };

/* As the newest kernel has it; older ones take it too while what they do not know is 0. */
struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};

/* What SQLite does in the folder. */
static const uint64_t needed = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                               LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                               LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE;
static const uint64_t reading =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;

/* -1 where there is none: too old, or not turned on. */
static int abi_version(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static struct ruleset everything(int abi)
{
    /* The first version knew all up to making symbolic links. */
    struct ruleset all = {.files = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
    if (abi >= ABI_REFER)
        all.files |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= ABI_TRUNCATE)
        all.files |= LANDLOCK_ACCESS_FS_TRUNCATE;
    if (abi >= ABI_IOCTL)
        all.files |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
    if (abi >= ABI_NETWORK)
        all.network = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
    if (abi >= ABI_SCOPE)
        all.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
    return all;
}

static int allow(int ruleset_fd, int folder_fd, uint64_t access, struct error *error)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = folder_fd};
    if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
        return 0;
    return error_set_errno(error, ERROR_INTERNAL, errno, "Landlock does not take the log's folder");
}

static int allow_reading_everything(int ruleset_fd, struct error *error)
{
    CLEANUP_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return allow(ruleset_fd, root, reading, error);
}

int sandbox_files_probe(struct error *error)
{
    if (abi_version() >= 1)
        return 0;
    return error_set_errno(error, ERROR_INTERNAL, errno, "this kernel has no Landlock");
}

int sandbox_files_restrict(int directory_fd, struct error *error)
{
    if (sandbox_files_probe(error) != 0)
        return -1;
    struct ruleset all = everything(abi_version());
    CLEANUP_FD int fd = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
    if (fd < 0)
        return error_set_errno(error, ERROR_INTERNAL, errno, "cannot use Landlock");
    if (directory_fd >= 0 && allow(fd, directory_fd, needed & all.files, error) != 0)
        return -1;
    if (SANDBOX_IS_LOOSE && allow_reading_everything(fd, error) != 0)
        return -1;
    if (syscall(SYS_landlock_restrict_self, fd, 0) != 0)
        return error_set_errno(error, ERROR_INTERNAL, errno, "cannot enter Landlock");
    return 0;
}
