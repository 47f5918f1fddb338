/* SPDX-License-Identifier: MIT */
#include "callbackd/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callbackd/os.h"

enum { PARTS = 32 }; /* more children than a supervisor has at a time */

/* What one process adds to gauges for as long as it lives. */
struct part {
    _Atomic int64_t pid; /* 0: free */
    _Atomic int64_t values[METRIC_COUNT];
};

/* What the descriptor maps. Every process that maps it must have the same rows, which
 * `layout` says: "CBM" 2 in the upper half, a hash of all rows in the lower. */
struct metrics {
    uint64_t layout;
    _Atomic int64_t values[METRIC_COUNT];
    struct part parts[PARTS];
};

enum metric_type { COUNTER, GAUGE };

static const struct row {
    const char *name;
    enum metric_type type;
    const char *help;
} rows[METRIC_COUNT] = {
#define METRICS_ROW(identifier, name, type, help) {"callbackd_" name, type, help},
    METRICS_TABLE(METRICS_ROW)
#undef METRICS_ROW
};

static const char *type_name(enum metric_type type)
{
    return type == COUNTER ? "counter" : "gauge";
}

/* OpenMetrics wants a counter's samples, and only these, to end so. */
static const char *sample_suffix(enum metric_type type)
{
    return type == COUNTER ? "_total" : "";
}

/* FNV-1a. */
static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT32_C(16777619);
    return hash;
}

static uint64_t layout_word(void)
{
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        hash = hash_text(hash, rows[i].name);
        hash = hash_text(hash, sample_suffix(rows[i].type));
        hash = hash_text(hash, "\n");
    }
    return UINT64_C(0x43424d02) << 32 | hash;
}

static struct metrics *metrics_map(int fd, struct error *error)
{
    void *mapping = mmap(NULL, sizeof(struct metrics), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapping == MAP_FAILED) {
        error_set_errno(error, ERROR_IO, errno, "cannot map the metrics");
        return NULL;
    }
    return mapping;
}

struct metrics *metrics_create(int *fd_out, struct error *error)
{
    struct metrics empty = {.layout = layout_word()};
    int fd = os_memfd("callbackd-metrics", bytes_of(&empty, sizeof(empty)), false, error);
    if (fd < 0)
        return NULL;
    struct metrics *metrics = NULL;
    /* A file that shrank under a mapping would kill its readers with SIGBUS. */
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        error_set_errno(error, ERROR_IO, errno, "cannot seal the metrics");
    else
        metrics = metrics_map(fd, error);
    if (!metrics) {
        os_close(fd);
        return NULL;
    }
    *fd_out = fd;
    return metrics;
}

struct metrics *metrics_open(int fd, struct error *error)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        error_set_errno(error, ERROR_IO, errno, "cannot look at the metrics");
        return NULL;
    }
    if (status.st_size != (off_t)sizeof(struct metrics)) {
        error_set(error, ERROR_INVALID, "the descriptor is not a mapping of metrics");
        return NULL;
    }
    struct metrics *metrics = metrics_map(fd, error);
    if (metrics && metrics->layout != layout_word()) {
        error_set(error, ERROR_INVALID, "the metrics are those of another version");
        metrics_close(metrics);
        return NULL;
    }
    return metrics;
}

void metrics_close(struct metrics *metrics)
{
    if (metrics)
        munmap(metrics, sizeof(*metrics));
}

void metrics_add(struct metrics *metrics, enum metric metric, int64_t amount)
{
    if (metrics && metric < METRIC_COUNT)
        atomic_fetch_add_explicit(&metrics->values[metric], amount, memory_order_relaxed);
}

void metrics_set(struct metrics *metrics, enum metric metric, int64_t value)
{
    if (metrics && metric < METRIC_COUNT)
        atomic_store_explicit(&metrics->values[metric], value, memory_order_relaxed);
}

int64_t metrics_get(const struct metrics *metrics, enum metric metric)
{
    if (!metrics || metric >= METRIC_COUNT)
        return 0;
    int64_t value = atomic_load_explicit(&metrics->values[metric], memory_order_relaxed);
    for (size_t i = 0; i < PARTS; i++)
        value += atomic_load_explicit(&metrics->parts[i].values[metric], memory_order_relaxed);
    return value;
}

static struct part *find_part(struct metrics *metrics, int64_t pid)
{
    for (size_t i = 0; i < PARTS; i++)
        if (atomic_load(&metrics->parts[i].pid) == pid)
            return &metrics->parts[i];
    return NULL;
}

/* The process's own, or a free one that becomes its own. */
static struct part *own_part(struct metrics *metrics)
{
    int64_t pid = getpid();
    struct part *part = find_part(metrics, pid);
    for (size_t i = 0; !part && i < PARTS; i++) {
        int64_t nobody = 0;
        if (atomic_compare_exchange_strong(&metrics->parts[i].pid, &nobody, pid))
            part = &metrics->parts[i];
    }
    return part;
}

void metrics_add_part(struct metrics *metrics, enum metric metric, int64_t amount)
{
    struct part *part = metrics && metric < METRIC_COUNT ? own_part(metrics) : NULL;
    if (part)
        atomic_fetch_add_explicit(&part->values[metric], amount, memory_order_relaxed);
}

void metrics_forget(struct metrics *metrics, pid_t pid)
{
    struct part *part;
    /* Two, when two of its threads were the first to count at the same time. */
    while (metrics && pid > 0 && (part = find_part(metrics, pid))) {
        for (size_t i = 0; i < METRIC_COUNT; i++)
            atomic_store(&part->values[i], 0);
        atomic_store(&part->pid, 0);
    }
}

int metrics_expose(const struct metrics *metrics, struct buffer *out)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct row *row = &rows[i];
        buffer_appendf(out, "# TYPE %s %s\n", row->name, type_name(row->type));
        buffer_appendf(out, "# HELP %s %s\n", row->name, row->help);
        buffer_appendf(
            out, "%s%s %" PRId64 "\n", row->name, sample_suffix(row->type),
            metrics_get(metrics, (enum metric)i));
    }
    return buffer_failed(out) ? -1 : 0;
}

int metrics_document(struct buffer *out)
{
    buffer_append_text(out, "| metric | type | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct row *row = &rows[i];
        buffer_appendf(
            out, "| `%s%s` | %s | %s |\n", row->name, sample_suffix(row->type),
            type_name(row->type), row->help);
    }
    return buffer_failed(out) ? -1 : 0;
}
