/* SPDX-License-Identifier: MIT */
/*
 * A disk that fails on demand: an SQLite VFS over the real one, which can make one
 * kind of call fail from its n-th on, for a while. For the tests of the store.
 */
#ifndef CALLBACKD_TESTS_FAULTY_VFS_H
#define CALLBACKD_TESTS_FAULTY_VFS_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum faulty_call { FAULTY_WRITE, FAULTY_SYNC, FAULTY_CALLS };

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this one in memory */
};

/* What fails: `call`, from its `first`-th (1..) to its `last`-th. */
struct faulty_plan {
    _Atomic int call;
    _Atomic int code;
    _Atomic int64_t first; /* 0: nothing */
    _Atomic int64_t last;
    _Atomic int64_t seen[FAULTY_CALLS];
    _Atomic int64_t failed;
    _Atomic int sync_us; /* each sync takes this much longer */
    _Atomic bool lying;  /* no sync is done: for tests that cut no power */
};

static struct faulty_plan faulty_plan;
static sqlite3_vfs faulty_vfs;
static sqlite3_io_methods faulty_methods;

static inline void faulty_fail(enum faulty_call call, int code, int64_t first, int64_t last)
{
    for (int i = 0; i < FAULTY_CALLS; i++)
        atomic_store(&faulty_plan.seen[i], 0);
    atomic_store(&faulty_plan.failed, 0);
    atomic_store(&faulty_plan.call, (int)call);
    atomic_store(&faulty_plan.code, code);
    atomic_store(&faulty_plan.last, last);
    atomic_store(&faulty_plan.first, first);
}

static inline void faulty_end(void)
{
    atomic_store(&faulty_plan.first, 0);
}

static inline int faulty_code(enum faulty_call call)
{
    int64_t seen = atomic_fetch_add(&faulty_plan.seen[call], 1) + 1;
    int64_t first = atomic_load(&faulty_plan.first);

    if (first == 0 || atomic_load(&faulty_plan.call) != (int)call || seen < first ||
        seen > atomic_load(&faulty_plan.last))
        return SQLITE_OK;
    atomic_fetch_add(&faulty_plan.failed, 1);
    return atomic_load(&faulty_plan.code);
}

#define FAULTY_REAL(file) (((struct faulty_file *)(file))->real)
#define FAULTY_PASS(name, parameters, ...)                                                         \
    static inline int faulty_##name parameters                                                     \
    {                                                                                              \
        return FAULTY_REAL(file)->pMethods->name(FAULTY_REAL(file), __VA_ARGS__);                  \
    }

FAULTY_PASS(xRead, (sqlite3_file * file, void *data, int count, sqlite3_int64 at), data, count, at)
FAULTY_PASS(xTruncate, (sqlite3_file * file, sqlite3_int64 size), size)
FAULTY_PASS(xFileSize, (sqlite3_file * file, sqlite3_int64 *size), size)
FAULTY_PASS(xLock, (sqlite3_file * file, int level), level)
FAULTY_PASS(xUnlock, (sqlite3_file * file, int level), level)
FAULTY_PASS(xCheckReservedLock, (sqlite3_file * file, int *out), out)
FAULTY_PASS(xFileControl, (sqlite3_file * file, int what, void *argument), what, argument)
FAULTY_PASS(
    xShmMap, (sqlite3_file * file, int page, int size, int extend, void volatile **out), page, size,
    extend, out)
FAULTY_PASS(xShmLock, (sqlite3_file * file, int offset, int count, int flags), offset, count, flags)
FAULTY_PASS(xShmUnmap, (sqlite3_file * file, int remove), remove)

static inline int faulty_write(sqlite3_file *file, const void *data, int count, sqlite3_int64 at)
{
    int code = faulty_code(FAULTY_WRITE);

    return code != SQLITE_OK
               ? code
               : FAULTY_REAL(file)->pMethods->xWrite(FAULTY_REAL(file), data, count, at);
}

static inline int faulty_sync(sqlite3_file *file, int flags)
{
    int code = faulty_code(FAULTY_SYNC);
    int sync_us = atomic_load(&faulty_plan.sync_us);

    if (sync_us > 0)
        usleep((useconds_t)sync_us);
    if (code != SQLITE_OK || atomic_load(&faulty_plan.lying))
        return code;
    return FAULTY_REAL(file)->pMethods->xSync(FAULTY_REAL(file), flags);
}

static inline int faulty_close(sqlite3_file *file)
{
    return FAULTY_REAL(file)->pMethods->xClose(FAULTY_REAL(file));
}

static inline int faulty_sector_size(sqlite3_file *file)
{
    return FAULTY_REAL(file)->pMethods->xSectorSize(FAULTY_REAL(file));
}

static inline int faulty_characteristics(sqlite3_file *file)
{
    return FAULTY_REAL(file)->pMethods->xDeviceCharacteristics(FAULTY_REAL(file));
}

static inline void faulty_shm_barrier(sqlite3_file *file)
{
    FAULTY_REAL(file)->pMethods->xShmBarrier(FAULTY_REAL(file));
}

static inline int faulty_open(
    sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct faulty_file *faulty = (struct faulty_file *)file;
    sqlite3_vfs *real = vfs->pAppData;
    int code;

    faulty->real = (sqlite3_file *)(faulty + 1);
    code = real->xOpen(real, name, faulty->real, flags, out_flags);
    file->pMethods = faulty->real->pMethods != NULL ? &faulty_methods : NULL;
    return code;
}

/* Becomes the VFS of all connections that are opened from now on. */
static inline void faulty_install(void)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);

    faulty_methods = (sqlite3_io_methods){
        .iVersion = 2,
        .xClose = faulty_close,
        .xRead = faulty_xRead,
        .xWrite = faulty_write,
        .xTruncate = faulty_xTruncate,
        .xSync = faulty_sync,
        .xFileSize = faulty_xFileSize,
        .xLock = faulty_xLock,
        .xUnlock = faulty_xUnlock,
        .xCheckReservedLock = faulty_xCheckReservedLock,
        .xFileControl = faulty_xFileControl,
        .xSectorSize = faulty_sector_size,
        .xDeviceCharacteristics = faulty_characteristics,
        .xShmMap = faulty_xShmMap,
        .xShmLock = faulty_xShmLock,
        .xShmBarrier = faulty_shm_barrier,
        .xShmUnmap = faulty_xShmUnmap,
    };
    faulty_vfs = *real; /* the other calls take the VFS only for its data */
    faulty_vfs.szOsFile = (int)sizeof(struct faulty_file) + real->szOsFile;
    faulty_vfs.zName = "faulty";
    faulty_vfs.pNext = NULL;
    faulty_vfs.pAppData = real;
    faulty_vfs.xOpen = faulty_open;
    sqlite3_vfs_register(&faulty_vfs, 1);
}

#endif
