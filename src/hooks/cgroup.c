/* SPDX-License-Identifier: MIT */
#include "cgroup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "callbackd/text.h"

enum {
    PROC_BYTES_MAX = 4 * 1024 * 1024,
    EVENTS_BYTES = 256,
    /* So deep goes what a hook may have made in its group; nobody does. */
    DEPTH_MAX = 16,
};

/* ---- where we are ---- */

/* The part of a line that the next `end` closes; moves *at behind it. Empty past the line. */
static struct bytes cut_field(const char **at, char end)
{
    size_t length = strcspn(*at, (const char[]){end, '\n', '\0'});
    struct bytes field = bytes_of(*at, length);
    *at += length + ((*at)[length] == end ? 1 : 0);
    return field;
}

/* The path of "0::/PATH", which is version 2's line. NULL: there is none. */
static char *find_membership(const char *text)
{
    static const char start[] = "0::";
    while (text) {
        if (strncmp(text, start, sizeof(start) - 1) == 0) {
            const char *at = text + sizeof(start) - 1;
            struct bytes path = cut_field(&at, '\n');
            return strndup((const char *)path.data, path.length);
        }
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    return NULL;
}

/* mountinfo writes a blank, a tab, a line's end and a backslash as \ooo. */
static char *unescape(struct bytes field)
{
    enum { OCTAL = 3, BITS = 3 };
    char *out = calloc(1, field.length + 1);
    size_t length = 0;
    for (size_t i = 0; out && i < field.length; i++) {
        char c = (char)field.data[i];
        if (c == '\\' && i + OCTAL < field.length && isdigit(field.data[i + 1])) {
            int value = 0;
            for (size_t digit = 1; digit <= OCTAL; digit++)
                value = (value << BITS) | (field.data[i + digit] - '0');
            c = (char)value;
            i += OCTAL;
        }
        out[length++] = c;
    }
    return out;
}

struct mount {
    char *root;  /* which of the hierarchy's directories is mounted */
    char *point; /* where */
};

static void mount_fini(struct mount *mount)
{
    free(mount->root);
    free(mount->point);
}

/* Of "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG...] - TYPE SOURCE OPTIONS". */
static bool read_mount(const char *line, struct mount *mount_out)
{
    static const char separator[] = " - cgroup2 ";
    size_t length = strcspn(line, "\n");
    const char *type = memmem(line, length, separator, sizeof(separator) - 1);
    if (!type)
        return false;
    enum { BEFORE_ROOT = 3 };
    for (int i = 0; i < BEFORE_ROOT; i++)
        cut_field(&line, ' ');
    mount_out->root = unescape(cut_field(&line, ' '));
    mount_out->point = unescape(cut_field(&line, ' '));
    return mount_out->root && mount_out->root[0] == '/' && mount_out->point &&
           mount_out->point[0] == '/';
}

/* `path` below the root of the mount; NULL: it is not in what is mounted there. */
static const char *below_root(const struct mount *mount, const char *path)
{
    size_t length = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
    if (strncmp(path, mount->root, length) != 0 || (path[length] != '/' && path[length] != '\0'))
        return NULL;
    return path + length;
}

static char *join(const struct mount *mount, const char *path)
{
    const char *below = below_root(mount, path);
    if (!below)
        return NULL;
    if (strcmp(below, "/") == 0)
        below = "";
    return text_format("%s%s", mount->point, below);
}

static char *find_directory(const char *mounts, const char *path)
{
    char *found = NULL;
    for (const char *line = mounts; !found && line && *line != '\0';) {
        struct mount mount = {0};
        if (read_mount(line, &mount))
            found = join(&mount, path);
        mount_fini(&mount);
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return found;
}

char *cgroup_locate(const char *membership, const char *mounts, struct error *error)
{
    CLEANUP_FREE char *path = find_membership(membership);
    /* "/.." leads out of what our namespace shows. */
    if (!path || path[0] != '/' || strncmp(path, "/..", 3) == 0) {
        error_set(error, ERROR_NOT_FOUND, "this process is in no control group of version 2");
        return NULL;
    }
    char *found = find_directory(mounts, path);
    if (!found)
        error_set(error, ERROR_NOT_FOUND, "control groups of version 2 are not mounted");
    return found;
}

char *cgroup_own(struct error *error)
{
    CLEANUP_BUFFER struct buffer membership;
    CLEANUP_BUFFER struct buffer mounts;
    buffer_init(&membership, PROC_BYTES_MAX);
    buffer_init(&mounts, PROC_BYTES_MAX);
    if (os_read_file("/proc/self/cgroup", &membership, error) != 0 ||
        os_read_file("/proc/self/mountinfo", &mounts, error) != 0)
        return NULL;
    return cgroup_locate(buffer_text(&membership), buffer_text(&mounts), error);
}

/* ---- one group ---- */

bool cgroup_kill(int group_fd)
{
    CLEANUP_FD int fd = openat(group_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, "1", 1) == 1;
}

/* Does cgroup.events have that line? false when it cannot be read. */
static bool says(int events_fd, const char *line)
{
    char text[EVENTS_BYTES + 1] = "";
    ssize_t got = pread(events_fd, text, EVENTS_BYTES, 0);
    return got > 0 && strstr(text, line) != NULL;
}

static bool is_populated(int events_fd)
{
    return !says(events_fd, "populated 0");
}

static int open_events(int group_fd)
{
    return openat(group_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
}

bool cgroup_is_populated(int group_fd)
{
    CLEANUP_FD int fd = open_events(group_fd);
    return fd < 0 || is_populated(fd);
}

bool cgroup_is_as_new(int group_fd)
{
    CLEANUP_FD int fd = open_events(group_fd);
    return fd >= 0 && says(fd, "populated 0") && !says(fd, "frozen 1");
}

bool cgroup_wait_until_empty(int group_fd, int wait_ms)
{
    CLEANUP_FD int fd = open_events(group_fd);
    int64_t end_ms = clock_monotonic_ms() + wait_ms;
    if (fd < 0)
        return false;
    while (is_populated(fd)) {
        int64_t left_ms = end_ms - clock_monotonic_ms();
        struct pollfd changed = {.fd = fd, .events = POLLPRI};
        if (left_ms <= 0 || (poll(&changed, 1, (int)left_ms) < 0 && errno != EINTR))
            return false;
    }
    return true;
}

int cgroup_members(int group_fd, struct buffer *out)
{
    CLEANUP_FD int fd = openat(group_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? os_read_fd(fd, out, NULL) : -1;
}

/* ---- removing ---- */

static void remove_below(int group_fd, int depth);

static bool remove_group(int parent_fd, const char *name, int depth)
{
    if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0)
        return true;
    if (errno != EBUSY || depth == 0)
        return false;
    CLEANUP_FD int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    remove_below(fd, depth - 1);
    return unlinkat(parent_fd, name, AT_REMOVEDIR) == 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by `depth` */
static void remove_below(int group_fd, int depth)
{
    int fd = openat(group_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (!directory) {
        os_close(fd);
        return;
    }
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
    while ((entry = readdir(directory))) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            remove_group(fd, entry->d_name, depth);
    }
    closedir(directory);
}

bool cgroup_remove(int parent_fd, const char *name)
{
    return remove_group(parent_fd, name, DEPTH_MAX);
}

void cgroup_remove_below(int group_fd)
{
    remove_below(group_fd, DEPTH_MAX);
}
