/* What every kernel file needs: unaligned loads, wiping, and the order in which windows of a run are visited. */
#ifndef IMMURE_COMMON_H
#define IMMURE_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the kernels assume a little-endian machine (images of any byte order can be scanned on one)"
#endif

/* Compiled several times, for newer and newer vector units, and chosen when the library is loaded (unless only the first of them is to be tested). */
#if !defined(IMMURE_NO_CLONES) && defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define VECTOR_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define VECTOR_CLONES
#endif

/* Helpers of a cloned function must be inlined into it to be compiled for the same vector unit. */
#define INLINE static inline __attribute__((always_inline))

__extension__ typedef unsigned __int128 u128;

INLINE uint64_t load64(const uint8_t *p) {
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

INLINE uint32_t load32(const uint8_t *p) {
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}

/* Zeroes memory in a way that the compiler may not leave out. */
INLINE void wipe(void *p, size_t n) {
    memset(p, 0, n);
    __asm__ __volatile__("" : : "r"(p) : "memory");
}

INLINE int is_dull(uint64_t word, unsigned bits) {
    uint64_t limit = 1ull << bits;
    return word + limit < 2 * limit;
}

/* The window starts of one run: first..last, and, if the run is long, a gap in the middle that is not visited. */
typedef struct {
    int64_t first, last; /* last < first: none */
    int64_t gap_from, gap_to; /* starts in [gap_from, gap_to) are left out */
    int64_t step;
} windows;

INLINE windows windows_of(int64_t start, int64_t end, size_t width, size_t step, size_t long_bytes, size_t edge) {
    windows w = {start, end - (int64_t)width, 0, 0, (int64_t)step};
    if (w.last < w.first) return w;
    w.last -= (w.last - w.first) % w.step;
    if ((size_t)(end - start) >= long_bytes) {
        int64_t steps = (int64_t)edge / w.step + 1;
        w.gap_from = w.first + steps * w.step;
        w.gap_to = w.last - (steps - 1) * w.step;
        if (w.gap_to <= w.gap_from) w.gap_from = w.gap_to = 0;
    }
    return w;
}

INLINE uint64_t windows_total(const windows *w) {
    if (w->last < w->first) return 0;
    return (uint64_t)((w->last - w->first - (w->gap_to - w->gap_from)) / w->step + 1);
}

/* The start after `at`. */
INLINE int64_t windows_next(const windows *w, int64_t at) {
    at += w->step;
    return at == w->gap_from && w->gap_to > w->gap_from ? w->gap_to : at;
}

#endif
