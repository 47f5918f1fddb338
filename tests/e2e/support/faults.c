/* SPDX-License-Identifier: MIT */
/*
 * Loaded into callbackd before the C library (LD_PRELOAD) by faults.py, which builds
 * it and steers it through a shared file:
 *
 * - calls that SQLite makes on the databases fail, are delayed, or lie;
 * - beside each database and write-ahead file stands what a disk would have of it
 *   (NAME.durable): bytes get there by a sync that succeeds. A sync that fails takes
 *   what it should have written away from the disk for good, as Linux does: the next
 *   one says that all is well. Put in the place of the files, that is a power cut;
 * - a connection that was accepted is held back, and so is who opens a database;
 * - a receiver tries what it must not, as somebody who has taken it over would;
 * - the wall clock is another one;
 * - the n-th allocation fails (not under sanitizers, which have their own).
 *
 * Children get the variables that they need for it from execve(): callbackd passes
 * none of them on. Plain system calls are made wherever the C library's own function
 * might be another interposer's.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* In the order of faults.py. */
enum call {
    CALL_WRITE,
    CALL_SYNC,
    CALL_TRUNCATE,
    CALL_OPEN,
    CALL_READ,
    CALL_ALLOCATE,
    CALL_ACCEPT
};
enum role { ROLE_SUPERVISOR = 1, ROLE_RECEIVER = 2, ROLE_WORKER = 4 };
enum file { FILE_NONE, FILE_LOG = 1, FILE_LOG_WAL = 2, FILE_STATE = 4, FILE_STATE_WAL = 8 };
enum { FDS_MAX = 4096, RANGES_MAX = 16384, NS_PER_S = 1000000000 };
enum effect { EFFECT_FAIL, EFFECT_DELAY, EFFECT_LIE, EFFECT_HOLD };
enum attempt {
    ATTEMPT_NONE,
    ATTEMPT_EXECUTE,
    ATTEMPT_FORK,
    ATTEMPT_SOCKET,
    ATTEMPT_CONNECT,
    ATTEMPT_READ_SYSTEM,
    ATTEMPT_WRITE_BESIDE,
    ATTEMPT_SIGNAL_SUPERVISOR
};

/* All numbers are 64 bits wide, for Python's sake. */
struct control {
    _Atomic int64_t armed; /* a call, or -1 */
    int64_t effect;
    int64_t errnum;
    int64_t delay_us;
    int64_t first; /* counted from 1 since it was armed */
    int64_t last;
    int64_t roles;
    int64_t files;
    _Atomic int64_t seen; /* calls that matched, since it was armed */
    _Atomic int64_t struck;
    _Atomic int64_t clock_offset_ns;
    _Atomic int64_t durable; /* 1: what a disk would have is kept */
    _Atomic int64_t attempt; /* what a receiver tries at its next sync */
    _Atomic int64_t outcome; /* of that: -1 not yet, 0 it was done, else its errno */
};

struct range {
    int fd;
    off_t offset;
    size_t length;
};

static struct control *control;
static char control_path[4096];
static enum role role = ROLE_SUPERVISOR;

/* Of descriptors: which file, and where its durable image is. */
static _Atomic unsigned char kind_of[FDS_MAX];
static _Atomic int image_of[FDS_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct range dirty[RANGES_MAX]; /* written, not synced; guarded by the lock */
static size_t dirty_count;

static void fail_loudly(const char *why)
{
    (void)!write(2, why, strlen(why));
    _exit(99);
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CALLBACKD_TEST_FAULTS");
    char title[64] = "";
    int fd;

    if (path == NULL || strlen(path) >= sizeof control_path)
        return;
    memcpy(control_path, path, strlen(path) + 1);
    fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!syscall(SYS_read, fd, title, sizeof title - 1);
        (void)syscall(SYS_close, fd);
    }
    if (strcmp(title, "callbackd: receiver") == 0)
        role = ROLE_RECEIVER;
    else if (strcmp(title, "callbackd: worker") == 0)
        role = ROLE_WORKER;
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || control == MAP_FAILED)
        fail_loudly("faults.so: its control file cannot be mapped\n");
    (void)syscall(SYS_close, fd);
}

/* ---- plans ---- */

static bool strikes(enum call call, int64_t file)
{
    int64_t number;

    if (control == NULL || atomic_load(&control->armed) != call ||
        (control->roles & (int64_t)role) == 0 ||
        (file != FILE_NONE && (control->files & file) == 0))
        return false;
    number = atomic_fetch_add(&control->seen, 1) + 1;
    if (number < control->first || number > control->last)
        return false;
    atomic_fetch_add(&control->struck, 1);
    return true;
}

static void delay(void)
{
    const struct timespec time = {
        .tv_sec = control->delay_us / 1000000, .tv_nsec = control->delay_us % 1000000 * 1000};

    (void)nanosleep(&time, NULL);
}

static void hold(enum call call)
{
    const struct timespec millisecond = {.tv_nsec = 1000000};

    while (atomic_load(&control->armed) == call)
        (void)nanosleep(&millisecond, NULL);
}

/* ---- what is forbidden ---- */

static long try_to(enum attempt attempt)
{
    char *const arguments[] = {"true", NULL};
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    long result = 0;

    switch (attempt) {
    case ATTEMPT_EXECUTE:
        return syscall(SYS_execve, "/bin/true", arguments, arguments + 1);
    case ATTEMPT_FORK:
        result = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
        if (result == 0)
            _exit(0);
        return result;
    case ATTEMPT_SOCKET:
        return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
    case ATTEMPT_CONNECT:
        return syscall(SYS_connect, 0, &nowhere, sizeof nowhere);
    case ATTEMPT_READ_SYSTEM:
        return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC, 0);
    case ATTEMPT_WRITE_BESIDE:
        return syscall(SYS_openat, AT_FDCWD, control_path, O_RDWR | O_CLOEXEC, 0);
    case ATTEMPT_SIGNAL_SUPERVISOR:
        return syscall(SYS_kill, getppid(), SIGCONT);
    default:
        return 0;
    }
}

static void attempt_what_is_forbidden(void)
{
    enum attempt attempt;

    if (control == NULL || role != ROLE_RECEIVER || atomic_load(&control->attempt) == ATTEMPT_NONE)
        return;
    attempt = (enum attempt)atomic_exchange(&control->attempt, ATTEMPT_NONE);
    errno = 0;
    atomic_store(&control->outcome, try_to(attempt) < 0 ? errno : 0);
}

/* ---- files ---- */

static enum file file_named(const char *path)
{
    static const struct {
        const char *end;
        enum file file;
    } files[] = {
        {"/results.db", FILE_LOG},
        {"/results.db-wal", FILE_LOG_WAL},
        {"/state.db", FILE_STATE},
        {"/state.db-wal", FILE_STATE_WAL},
    };
    size_t length = strlen(path);

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        size_t end = strlen(files[i].end);

        if (length >= end && strcmp(path + length - end, files[i].end) == 0)
            return files[i].file;
    }
    return FILE_NONE;
}

static enum file file_of(int fd)
{
    return fd >= 0 && fd < FDS_MAX ? (enum file)atomic_load(&kind_of[fd]) : FILE_NONE;
}

static bool image_name(const char *path, char out[static 4096])
{
    return snprintf(out, 4096, "%s.durable", path) < 4096;
}

static void copy_range(int from, int to, off_t offset, size_t length)
{
    char piece[65536];

    while (length > 0) {
        ssize_t got = syscall(
            SYS_pread64, from, piece, length < sizeof piece ? length : sizeof piece, offset);

        if (got <= 0)
            return;
        if (syscall(SYS_pwrite64, to, piece, (size_t)got, offset) != got)
            fail_loudly("faults.so: a durable image cannot be written\n");
        offset += got;
        length -= (size_t)got;
    }
}

/* The image of a file that is opened; one that has none yet is taken for durable as it is. */
static int open_image(int fd, const char *path)
{
    char name[4096];
    struct stat status;
    int image;

    if (control == NULL || atomic_load(&control->durable) == 0 || !image_name(path, name))
        return -1;
    image = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (image >= 0 && fstat(fd, &status) == 0)
        copy_range(fd, image, 0, (size_t)status.st_size);
    if (image < 0)
        image = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC, 0);
    return image;
}

static int opened(int fd, const char *path)
{
    if (fd < 0 || fd >= FDS_MAX)
        return fd;
    if (atomic_load(&kind_of[fd]) != FILE_NONE && atomic_load(&image_of[fd]) > 0)
        (void)syscall(SYS_close, atomic_load(&image_of[fd]));
    atomic_store(&kind_of[fd], (unsigned char)file_named(path));
    atomic_store(&image_of[fd], file_named(path) == FILE_NONE ? -1 : open_image(fd, path));
    return fd;
}

static int open_file(const char *path, int flags, mode_t mode)
{
    enum file file = file_named(path);

    if (file != FILE_NONE && (flags & O_ACCMODE) != O_RDONLY && strikes(CALL_OPEN, file)) {
        if (control->effect == EFFECT_FAIL) {
            errno = (int)control->errnum;
            return -1;
        }
        hold(CALL_OPEN);
    }
    return opened((int)syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode), path);
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode = 0;

    va_start(arguments, flags);
    if ((flags & (O_CREAT | __O_TMPFILE)) != 0)
        mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return open_file(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode = 0;

    va_start(arguments, flags);
    if ((flags & (O_CREAT | __O_TMPFILE)) != 0)
        mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return open_file(path, flags, mode);
}

int unlink(const char *path)
{
    char name[4096];

    if (control != NULL && file_named(path) != FILE_NONE && image_name(path, name))
        (void)syscall(SYS_unlinkat, AT_FDCWD, name, 0);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static void note_dirty(int fd, off_t offset, ssize_t length)
{
    if (length <= 0 || atomic_load(&image_of[fd]) <= 0)
        return;
    (void)pthread_mutex_lock(&lock);
    if (dirty_count == RANGES_MAX)
        fail_loudly("faults.so: too much was written between two syncs\n");
    dirty[dirty_count++] = (struct range){fd, offset, (size_t)length};
    (void)pthread_mutex_unlock(&lock);
}

/* What was written to the file of `fd` is on disk now, or never will be. */
static void settle_dirty(int fd, bool durable)
{
    size_t kept = 0;
    int image = atomic_load(&image_of[fd]);

    if (image <= 0)
        return;
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < dirty_count; i++) {
        bool same = atomic_load(&kind_of[dirty[i].fd]) == atomic_load(&kind_of[fd]);

        if (!same)
            dirty[kept++] = dirty[i];
        else if (durable)
            copy_range(fd, image, dirty[i].offset, dirty[i].length);
    }
    dirty_count = kept;
    (void)pthread_mutex_unlock(&lock);
}

/* Nobody knows what a write that failed has left: here, a part. */
static ssize_t write_file(int fd, const void *data, size_t length, off_t offset)
{
    enum file file = file_of(fd);
    ssize_t written;

    if (file == FILE_NONE)
        return syscall(SYS_pwrite64, fd, data, length, offset);
    if (strikes(CALL_WRITE, file)) {
        if (control->effect == EFFECT_FAIL) {
            note_dirty(fd, offset, syscall(SYS_pwrite64, fd, data, length / 2, offset));
            errno = (int)control->errnum;
            return -1;
        }
        delay();
    }
    written = syscall(SYS_pwrite64, fd, data, length, offset);
    note_dirty(fd, offset, written);
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    return write_file(fd, data, length, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
{
    return write_file(fd, data, length, offset);
}

static ssize_t read_file(int fd, void *data, size_t length, off_t offset)
{
    if (file_of(fd) != FILE_NONE && strikes(CALL_READ, file_of(fd))) {
        errno = (int)control->errnum;
        return -1;
    }
    return syscall(SYS_pread64, fd, data, length, offset);
}

ssize_t pread(int fd, void *data, size_t length, off_t offset)
{
    return read_file(fd, data, length, offset);
}

ssize_t pread64(int fd, void *data, size_t length, off64_t offset)
{
    return read_file(fd, data, length, offset);
}

static int sync_file(int fd, long number)
{
    enum file file = file_of(fd);
    int result;

    attempt_what_is_forbidden();
    if (file != FILE_NONE && strikes(CALL_SYNC, file)) {
        if (control->effect == EFFECT_LIE)
            return 0;
        if (control->effect == EFFECT_FAIL) {
            settle_dirty(fd, false);
            errno = (int)control->errnum;
            return -1;
        }
        delay();
    }
    result = (int)syscall(number, fd);
    if (file != FILE_NONE)
        settle_dirty(fd, result == 0);
    return result;
}

int fsync(int fd)
{
    return sync_file(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_file(fd, SYS_fdatasync);
}

static int truncate_file(int fd, off_t length)
{
    enum file file = file_of(fd);

    if (file != FILE_NONE && strikes(CALL_TRUNCATE, file)) {
        errno = (int)control->errnum;
        return -1;
    }
    if (file != FILE_NONE && atomic_load(&image_of[fd]) > 0)
        (void)syscall(SYS_ftruncate, atomic_load(&image_of[fd]), length);
    return (int)syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length)
{
    return truncate_file(fd, length);
}

int ftruncate64(int fd, off64_t length)
{
    return truncate_file(fd, length);
}

/* ---- connections ---- */

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict length, int flags)
{
    int accepted = (int)syscall(SYS_accept4, fd, address, length, flags);

    if (accepted >= 0 && strikes(CALL_ACCEPT, FILE_NONE))
        hold(CALL_ACCEPT);
    return accepted;
}

/* ---- the clock ---- */

static int64_t offset_ns(clockid_t clock)
{
    bool wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;

    return control != NULL && wall ? atomic_load(&control->clock_offset_ns) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time_out)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time_out);
    int64_t offset = offset_ns(clock);

    if (result != 0 || offset == 0)
        return result;
    offset += time_out->tv_nsec;
    time_out->tv_sec += offset / NS_PER_S;
    time_out->tv_nsec = offset % NS_PER_S;
    if (time_out->tv_nsec < 0) {
        time_out->tv_nsec += NS_PER_S;
        time_out->tv_sec--;
    }
    return 0;
}

int gettimeofday(struct timeval *restrict time_out, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    *time_out = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *time_out)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (time_out != NULL)
        *time_out = now.tv_sec;
    return now.tv_sec;
}

/* ---- memory ---- */

#ifdef FAULTS_WITH_ALLOCATOR
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static bool no_memory(void)
{
    if (!strikes(CALL_ALLOCATE, FILE_NONE))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return no_memory() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return no_memory() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return no_memory() ? NULL : __libc_realloc(memory, size);
}
#endif

/* ---- children ---- */

int execve(const char *path, char *const arguments[], char *const environment[])
{
    enum { ENTRIES_MAX = 64 };
    char *entries[ENTRIES_MAX + 3];
    char preload[4096 + 16];
    char faults[4096 + 32];
    size_t count = 0;

    if (control == NULL || arguments[0] == NULL || strncmp(arguments[0], "callbackd: ", 11) != 0)
        return (int)syscall(SYS_execve, path, arguments, environment);
    for (; environment[count] != NULL && count < ENTRIES_MAX; count++)
        entries[count] = environment[count];
    (void)snprintf(preload, sizeof preload, "LD_PRELOAD=%s", getenv("LD_PRELOAD"));
    (void)snprintf(faults, sizeof faults, "CALLBACKD_TEST_FAULTS=%s", control_path);
    entries[count++] = preload;
    entries[count++] = faults;
    entries[count] = NULL;
    return (int)syscall(SYS_execve, path, arguments, entries);
}
