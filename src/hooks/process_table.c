/* SPDX-License-Identifier: MIT */
#include "process_table.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum {
    STAT_BYTES_MAX = 4096,
    LIMITS_BYTES_MAX = 16 * 1024,
    /* The kernel's bound for arguments and environment is a fourth of the stack's. */
    ENVIRONMENT_BYTES_MAX = 6 * 1024 * 1024,
};

static const char *const id_variables[] = {"CALLBACK_JOB_ID=", "CALLBACK_WORKER_ID="};
static const char mark_limit[] = "\nMax file locks ";

/* ---- one process ---- */

static int read_proc(pid_t pid, const char *name, struct buffer *out)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return os_read_file(path, out, NULL);
}

/* Of /proc/PID/stat, counted from 1 as proc(5) does. */
enum { STAT_STATE = 3, STAT_PARENT = 4, STAT_GROUP = 5, STAT_SESSION = 6, STAT_STARTED = 22 };

static void take_stat_field(struct process_entry *entry, int index, const char *text)
{
    switch (index) {
    case STAT_STATE:
        entry->state = *text;
        break;
    case STAT_PARENT:
        entry->parent = (pid_t)strtol(text, NULL, 10);
        break;
    case STAT_GROUP:
        entry->group = (pid_t)strtol(text, NULL, 10);
        break;
    case STAT_SESSION:
        entry->session = (pid_t)strtol(text, NULL, 10);
        break;
    case STAT_STARTED:
        entry->started = strtoull(text, NULL, 10);
        break;
    default:
        break;
    }
}

/* The name of the program stands in brackets and may hold anything, brackets too: the fields
 * are counted from the last one. */
static bool parse_stat(const char *text, struct process_entry *entry)
{
    const char *at = strrchr(text, ')');
    int index = STAT_STATE;
    for (at = at ? strchr(at, ' ') : NULL; at && index <= STAT_STARTED; index++) {
        take_stat_field(entry, index, at + 1);
        at = strchr(at + 1, ' ');
    }
    return index > STAT_STARTED;
}

static bool entry_read(pid_t pid, struct process_entry *entry)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, STAT_BYTES_MAX);
    *entry = (struct process_entry){.pid = pid};
    return read_proc(pid, "stat", &text) == 0 && parse_stat(buffer_text(&text), entry);
}

bool process_entry_is_alive(const struct process_entry *entry)
{
    return entry->state != 'Z' && entry->state != 'X';
}

bool process_entry_signal(const struct process_entry *entry, int signal)
{
    CLEANUP_FD int pidfd = pidfd_open(entry->pid, 0);
    struct process_entry now;
    /* The descriptor first: if the number meant the same process after it was opened, then the
     * descriptor does. */
    return pidfd >= 0 && entry_read(entry->pid, &now) && now.started == entry->started &&
           process_entry_is_alive(&now) && pidfd_send_signal(pidfd, signal, NULL, 0) == 0;
}

/* What the variable is set to, if it is one of ours; NULL. */
static const char *id_in(const char *variable, size_t length)
{
    for (size_t i = 0; i < sizeof(id_variables) / sizeof(id_variables[0]); i++) {
        size_t name = strlen(id_variables[i]);
        if (length >= name && memcmp(variable, id_variables[i], name) == 0)
            return variable + name;
    }
    return NULL;
}

static bool read_job_id(pid_t pid, struct id *job_out)
{
    CLEANUP_BUFFER struct buffer environment;
    buffer_init(&environment, ENVIRONMENT_BYTES_MAX);
    if (read_proc(pid, "environ", &environment) != 0)
        return false;
    const char *text = buffer_text(&environment);
    const char *end = text + environment.length;
    while (text < end) {
        size_t length = strnlen(text, (size_t)(end - text));
        const char *id = id_in(text, length);
        if (id)
            return id_parse(bytes_of_text(id), job_out);
        text += length + 1;
    }
    return false;
}

static rlim_t read_mark(pid_t pid)
{
    CLEANUP_BUFFER struct buffer limits;
    buffer_init(&limits, LIMITS_BYTES_MAX);
    if (read_proc(pid, "limits", &limits) != 0)
        return 0;
    const char *line = strstr(buffer_text(&limits), mark_limit);
    /* "unlimited" is no number: 0. */
    return line ? strtoull(line + sizeof(mark_limit) - 1, NULL, 10) : 0;
}

static void read_job(struct process_entry *entry)
{
    if (entry->job_known)
        return;
    entry->has_job = read_job_id(entry->pid, &entry->job);
    entry->mark = read_mark(entry->pid);
    entry->job_known = true;
}

const struct id *process_entry_job(struct process_entry *entry)
{
    read_job(entry);
    return entry->has_job ? &entry->job : NULL;
}

rlim_t process_mark(const struct id *job)
{
    enum { RANDOM_FROM = 8, BITS = 8 };
    const rlim_t random_mask = (1ULL << 62) - 1;
    rlim_t mark = 0;
    for (int i = RANDOM_FROM; i < ID_BYTES; i++)
        mark = (mark << BITS) | job->bytes[i];
    return (mark & random_mask) | (1ULL << 62);
}

bool process_entry_is_of(struct process_entry *entry, const struct id *job)
{
    read_job(entry);
    return (entry->has_job && id_equal(&entry->job, job)) || entry->mark == process_mark(job);
}

/* ---- a stream's copies ---- */

static void put(unsigned char out[8], uint64_t value)
{
    enum { BYTES = 8, BITS = 8 };
    for (int i = BYTES - 1; i >= 0; i--, value >>= BITS)
        out[i] = (unsigned char)value;
}

/* Made so that it, too, tells the family, and process_mark of it. */
struct id process_copy_id(int64_t family, uint16_t number)
{
    enum { FIXED_BIT = 62, NUMBER_BITS = 16, SECOND_HALF = 8 };
    struct id id = {0};
    put(id.bytes, (uint64_t)family);
    put(id.bytes + SECOND_HALF,
        1ULL << FIXED_BIT | (uint64_t)family << NUMBER_BITS | (uint64_t)number);
    return id;
}

bool process_entry_is_of_family(struct process_entry *entry, int64_t family)
{
    enum { NUMBER_BITS = 16, HALF = 8 };
    const struct id first = process_copy_id(family, 0);
    read_job(entry);
    return (entry->has_job && memcmp(entry->job.bytes, first.bytes, HALF) == 0) ||
           entry->mark >> NUMBER_BITS == process_mark(&first) >> NUMBER_BITS;
}

/* ---- all of them ---- */

static int by_pid(const void *a, const void *b)
{
    const struct process_entry *left = a;
    const struct process_entry *right = b;
    return (left->pid > right->pid) - (left->pid < right->pid);
}

struct process_entry *process_table_find(const struct process_table *table, pid_t pid)
{
    struct process_entry wanted = {.pid = pid};
    if (table->count == 0)
        return NULL;
    return bsearch(&wanted, table->entries, table->count, sizeof(wanted), by_pid);
}

static int add_entry(
    struct process_table *table, const struct process_entry *entry, struct error *error)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity == 0 ? 256 : table->capacity * 2;
        struct process_entry *entries = reallocarray(table->entries, capacity, sizeof(*entries));
        if (!entries)
            return error_set(error, ERROR_MEMORY, "no memory for the table of processes");
        table->entries = entries;
        table->capacity = capacity;
    }
    table->entries[table->count++] = *entry;
    return 0;
}

static int read_entries(struct process_table *table, DIR *directory, struct error *error)
{
    const struct dirent *name;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
    while ((name = readdir(directory))) {
        int64_t pid = 0;
        struct process_entry entry;
        if (!isdigit((unsigned char)name->d_name[0]) ||
            !text_parse_int64(bytes_of_text(name->d_name), &pid))
            continue;
        /* One that is gone by now is no failure. */
        if (entry_read((pid_t)pid, &entry) && add_entry(table, &entry, error) != 0)
            return -1;
    }
    return 0;
}

static bool holds(const int *pids, pid_t pid)
{
    for (; pids && *pids != 0; pids++) {
        if (*pids == pid)
            return true;
    }
    return false;
}

void process_table_choose_below(struct process_table *table, const int *kept)
{
    /* Parents mostly have the lower number, so one pass and one that finds nothing do. */
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < table->count; i++) {
            struct process_entry *entry = &table->entries[i];
            const struct process_entry *parent = process_table_find(table, entry->parent);
            if (entry->chosen || !parent || !parent->chosen || holds(kept, entry->pid))
                continue;
            entry->chosen = true;
            changed = true;
        }
    }
}

static void mark_descendants(struct process_table *table)
{
    struct process_entry *self = process_table_find(table, getpid());
    if (!self)
        return;
    self->chosen = true;
    process_table_choose_below(table, NULL);
    for (size_t i = 0; i < table->count; i++) {
        table->entries[i].descends = table->entries[i].chosen;
        table->entries[i].chosen = false;
    }
    self->descends = false;
}

int process_table_read(struct process_table *table, struct error *error)
{
    *table = (struct process_table){0};
    DIR *directory = opendir("/proc");
    if (!directory)
        return error_set_errno(error, ERROR_IO, errno, "cannot list the processes in /proc");
    int result = read_entries(table, directory, error);
    closedir(directory);
    if (result != 0) {
        process_table_fini(table);
        return -1;
    }
    if (table->count > 0)
        qsort(table->entries, table->count, sizeof(*table->entries), by_pid);
    mark_descendants(table);
    return 0;
}

void process_table_fini(struct process_table *table)
{
    free(table->entries);
    *table = (struct process_table){0};
}
