/* SPDX-License-Identifier: MIT */
/* Users and groups by name or number. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum { ENTRY_BYTES = 64 * 1024, GROUPS_MAX = 1024 };

static bool parse_number(const char *text, id_t *number_out)
{
    int64_t number;
    if (!text_parse_int64(bytes_of_text(text), &number) || number < 0 || number >= UINT32_MAX)
        return false;
    *number_out = (id_t)number;
    return true;
}

/* A name that is all digits is a number, unless there is somebody of that name. */
static int find_user(
    const char *user, struct os_identity *out, bool *has_entry, struct error *error)
{
    CLEANUP_FREE char *memory = malloc(ENTRY_BYTES);
    struct passwd entry;
    struct passwd *found = NULL;
    id_t number;
    if (!memory)
        return error_set(error, ERROR_MEMORY, "no memory for a user");
    int failed = getpwnam_r(user, &entry, memory, ENTRY_BYTES, &found);
    bool numeric = !found && parse_number(user, &number);
    if (numeric)
        failed = getpwuid_r(number, &entry, memory, ENTRY_BYTES, &found);
    if (!found && failed != 0)
        return error_set_errno(error, ERROR_IO, failed, "cannot look up the user \"%s\"", user);
    if (!found && !numeric)
        return error_set(error, ERROR_NOT_FOUND, "there is no user \"%s\"", user);
    *has_entry = found != NULL;
    out->uid = found ? found->pw_uid : number;
    out->gid = found ? found->pw_gid : (gid_t)-1;
    out->name = text_copy(found ? found->pw_name : "");
    out->home = text_copy(found ? found->pw_dir : "/");
    if (!out->name || !out->home)
        return error_set(error, ERROR_MEMORY, "no memory for a user");
    return 0;
}

static int find_group(const char *group, gid_t *gid_out, struct error *error)
{
    CLEANUP_FREE char *memory = malloc(ENTRY_BYTES);
    struct group entry;
    struct group *found = NULL;
    if (!memory)
        return error_set(error, ERROR_MEMORY, "no memory for a group");
    int failed = getgrnam_r(group, &entry, memory, ENTRY_BYTES, &found);
    if (found)
        *gid_out = found->gr_gid;
    else if (!parse_number(group, gid_out))
        return failed != 0
                   ? error_set_errno(error, ERROR_IO, failed, "cannot look up \"%s\"", group)
                   : error_set(error, ERROR_NOT_FOUND, "there is no group \"%s\"", group);
    return 0;
}

/* All groups that the user is in, and `gid`. */
static int find_groups(struct os_identity *out, bool has_entry, struct error *error)
{
    int count = has_entry ? GROUPS_MAX : 1;
    out->groups = calloc((size_t)count, sizeof *out->groups);
    if (!out->groups)
        return error_set(error, ERROR_MEMORY, "no memory for groups");
    out->groups[0] = out->gid;
    if (has_entry && getgrouplist(out->name, out->gid, out->groups, &count) < 0)
        count = GROUPS_MAX;
    out->group_count = (size_t)count;
    return 0;
}

static int find(const char *user, const char *group, struct os_identity *out, struct error *error)
{
    bool has_entry = true;
    char own[16];
    snprintf(own, sizeof own, "%u", (unsigned)geteuid());
    if (find_user(user ? user : own, out, &has_entry, error) != 0)
        return -1;
    if (group && find_group(group, &out->gid, error) != 0)
        return -1;
    if (out->gid == (gid_t)-1)
        return error_set(
            error, ERROR_INVALID, "the user %s has no entry in passwd: name its group too", user);
    return find_groups(out, has_entry, error);
}

int os_identity_find(
    const char *user, const char *group, struct os_identity *identity_out, struct error *error)
{
    struct os_identity identity = {.groups = NULL};
    if (find(user, group, &identity, error) != 0) {
        os_identity_fini(&identity);
        return -1;
    }
    *identity_out = identity;
    return 0;
}

void os_identity_fini(struct os_identity *identity)
{
    free(identity->name);
    free(identity->home);
    free(identity->groups);
    *identity = (struct os_identity){.groups = NULL};
}

bool os_identity_may_be_taken(const struct os_identity *identity)
{
    return geteuid() == 0 || (identity->uid == geteuid() && identity->gid == getegid());
}
