/* Files mapped into memory, which saves a copy of every byte; and what becomes of a map whose file is cut short, or whose disk fails.
 *
 * Touching such a page raises SIGBUS. The handler puts a page of zeros in its place, so that the search goes on, and counts; the caller sees the count
 * and reads again what it was at, with pread. Signals that have nothing to do with a map here go to the handler that was there before. */
#define _GNU_SOURCE
#include "common.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

enum { MAX_MAPS = 64 };

typedef struct {
    _Atomic uintptr_t start; /* 0: free */
    _Atomic uintptr_t end;
    _Atomic uint64_t faults;
} map;

static map maps[MAX_MAPS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static int used;
static uintptr_t page; /* its size */
static _Thread_local int is_passing_on;

static map *map_of(uintptr_t address) {
    for (int i = 0; i < MAX_MAPS; i++) {
        uintptr_t start = atomic_load(&maps[i].start);
        if (start && address >= start && address < atomic_load(&maps[i].end)) return &maps[i];
    }
    return NULL;
}

/* Only calls of the kernel in here: a signal handler may do little else. */
static void on_bus_error(int number, siginfo_t *info, void *context) {
    uintptr_t address = (uintptr_t)info->si_addr;
    map *m = map_of(address);
    if (m) {
        void *there = (void *)(address / page * page);
        if (mmap(there, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == there) {
            atomic_fetch_add(&m->faults, 1);
            return;
        }
    }
    int is_handled = before.sa_flags & SA_SIGINFO || (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN);
    if (!is_handled || is_passing_on) { /* a handler that was set between two of ours passes on to us: not in a circle */
        signal(SIGBUS, SIG_DFL);        /* the access is repeated, and ends the process as it would have */
        return;
    }
    is_passing_on = 1;
    if (before.sa_flags & SA_SIGINFO) before.sa_sigaction(number, info, context);
    else before.sa_handler(number);
    is_passing_on = 0;
}

static int watch(void) {
    struct sigaction action = {0};
    if (used++) return 1;
    page = (uintptr_t)sysconf(_SC_PAGESIZE);
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &before) == 0) return 1;
    used--;
    return 0;
}

static void unwatch(void) {
    struct sigaction now;
    if (--used) return;
    /* somebody may have put another in its place since, which then calls ours: that stays, and finds no map */
    if (sigaction(SIGBUS, NULL, &now) == 0 && now.sa_sigaction == on_bus_error) sigaction(SIGBUS, &before, NULL);
}

const uint8_t *mapping_new(int descriptor, size_t nbytes) {
    map *m = NULL;
    void *start = MAP_FAILED;
    if (!nbytes) return NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX_MAPS && !m; i++) m = atomic_load(&maps[i].start) ? NULL : &maps[i];
    if (m && watch()) {
        start = mmap(NULL, nbytes, PROT_READ, MAP_SHARED, descriptor, 0);
        if (start == MAP_FAILED) {
            unwatch();
        } else {
            madvise(start, nbytes, MADV_DONTDUMP); /* our own crash is not to write the image down once more */
            atomic_store(&m->faults, 0);
            atomic_store(&m->end, (uintptr_t)start + nbytes);
            atomic_store(&m->start, (uintptr_t)start);
        }
    }
    pthread_mutex_unlock(&lock);
    return start == MAP_FAILED ? NULL : start;
}

void mapping_free(const uint8_t *start) {
    pthread_mutex_lock(&lock);
    map *m = map_of((uintptr_t)start);
    if (m) {
        size_t nbytes = atomic_load(&m->end) - atomic_load(&m->start);
        atomic_store(&m->start, 0);
        munmap((void *)(uintptr_t)start, nbytes);
        unwatch();
    }
    pthread_mutex_unlock(&lock);
}

/* Gives whole pages around [from, to) of the map an advice. */
static int advise(const uint8_t *start, size_t from, size_t to, int advice) {
    uintptr_t first = ((uintptr_t)start + from) / page * page, last = (uintptr_t)start + to;
    return madvise((void *)first, last - first, advice);
}

int mapping_fill(const uint8_t *start, size_t from, size_t to) { return advise(start, from, to, MADV_POPULATE_READ); }

void mapping_drop(const uint8_t *start, size_t from, size_t to) { advise(start, from, to, MADV_DONTNEED); }

uint64_t mapping_faults(const uint8_t *start) {
    map *m = map_of((uintptr_t)start);
    return m ? atomic_load(&m->faults) : 0;
}
