/* Shared by the files of the key holder's native half; nobody else includes it. */
#ifndef IMMURE_KH_INTERNAL_H
#define IMMURE_KH_INTERNAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kh.h"

enum { SLOTS = 64, SEALS = 3, MOST_WORKERS = 16, SEAL_BYTES = 32, STACK = 512 << 10 };

/* arena.c */
void *arena_get(size_t size);
void arena_put(void *block);
void *arena_malloc(size_t size, const char *file, int line);
void *arena_realloc(void *block, size_t size, const char *file, int line);
void arena_free(void *block, const char *file, int line);
void *arena_stack(size_t size);
void wipe(void *at, size_t size);

/* work.c: run something on a thread whose stack is in the arena, and wait for it */
int on_worker(int (*what)(void *), void *with);
extern _Thread_local int worker_index;

/* keys.c: what the threads do */
struct job {
    struct job *next;
    uint64_t id;
    int generate, slot, algorithm, bits, status;
    char kind[12];
    uint8_t *message;
    size_t size;
    uint32_t answer_size;
    uint8_t answer[1200];
};
void do_job(struct job *job);
void sweep_copies(void); /* of keys that were dropped or replaced; each worker does it for its own */
void sweep_soon(void);

int fail(const char *words); /* remembers them; -1 */

#endif
