/* What the files of the prober share: its tables, and which windows are worth a look. */
#ifndef IMMURE_PROBE_INTERNAL_H
#define IMMURE_PROBE_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the prober assumes a little-endian machine (images of any byte order can be proved on one)"
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
    WINDOW = 8,
    BLOCK = 64,  /* bytes that are looked at together */
    WINDOWS = 57 /* windows that begin and end in a block */
};

typedef struct {
    uint64_t window;
    uint32_t needle; /* + 1: zero means empty */
    uint32_t at;
} slot;

struct prober {
    size_t count, total;
    uint8_t *bytes;
    uint32_t *start; /* count + 1 offsets into bytes and chosen */
    uint32_t *least;
    uint8_t *by_words;
    uint8_t *chosen; /* by byte: 1 if the window that begins there is in the table */
    slot *slots;
    size_t slot_count; /* a power of two */
    uint64_t *filter;
    size_t filter_words;
    unsigned filter_shift;
    int probe_prose; /* a window of plain text is in the table */
    uint64_t facts[5];
};

/* Zeroes memory in a way that the compiler may not leave out. */
ALWAYS_INLINE void wipe(void *p, size_t n) {
    memset(p, 0, n);
    __asm__ __volatile__("" : : "r"(p) : "memory");
}

ALWAYS_INLINE uint64_t window_at(const uint8_t *p) {
    uint64_t w;
    memcpy(&w, p, WINDOW);
    return w;
}

/* --- the filter: two bits in one of its 64-bit words for each window ---------------------------------------------------- */

#define SPREAD 0xd6e8feb86659fd93ull

ALWAYS_INLINE uint64_t filter_mark(uint64_t hash) { return 1ull << (hash >> 36 & 63) | 1ull << (hash >> 30 & 63); }

ALWAYS_INLINE int passes(const prober *s, uint64_t window) {
    uint64_t hash = window * SPREAD, mark = filter_mark(hash);
    return (s->filter[hash >> s->filter_shift] & mark) == mark;
}

/* --- kinds of bytes and of windows ------------------------------------------------------------------------------------------ */

/* One bit per byte of a block for each kind. prose: printable ASCII, tab and line ends; token: letters, digits, + / - _ \ and line ends. */
typedef struct {
    uint64_t zero, small, prose, token, digit, upper, lower;
} kinds;

ALWAYS_INLINE uint64_t all_of_8(uint64_t m) { m &= m >> 1; m &= m >> 2; return m & m >> 4; }
ALWAYS_INLINE uint64_t any_of_8(uint64_t m) { m |= m >> 1; m |= m >> 2; return m | m >> 4; }
ALWAYS_INLINE uint64_t any_of_7(uint64_t m) { m |= m >> 1; m |= m >> 2; return m | m >> 3; }

/* Of the windows that begin at the first WINDOWS bytes of a block: those that might be part of a number.
 * A window with two zeros side by side is not, unless it is a digit as V8 keeps small integers: four zeros, three bytes that are not zero, one
 * below 16. Plain text is not either (unless asked for), but for tokens: letters and digits mixed. */
ALWAYS_INLINE uint64_t worth_probing(const kinds *k, int prose_too) {
    uint64_t zeros = k->zero & k->zero >> 1;
    uint64_t worth = ~any_of_7(zeros);
    if (k->prose && !prose_too) {
        uint64_t prose = all_of_8(k->prose);
        if (prose) {
            uint64_t token = all_of_8(k->token);
            if (token) token &= any_of_8(k->digit) | (any_of_8(k->upper) & any_of_8(k->lower));
            worth &= ~prose | token;
        }
    }
    if (zeros) worth |= zeros & zeros >> 2 & ~(k->zero >> 4 | k->zero >> 5 | k->zero >> 6) & k->small >> 7;
    return worth & ((1ull << WINDOWS) - 1);
}

/* The kinds of 64 bytes, by plain C. */
void kinds_plain(const uint8_t *p, kinds *out);

/* Goes through blocks WINDOWS bytes apart, from `at` as long as at <= last, up to the first with a window that passes the filter; *passing tells
 * which (0: none). Returns where that block begins, or where to go on. */
size_t next_passing(const prober *s, const uint8_t *buf, size_t at, size_t last, uint64_t *passing);

/* The same for one block of 64 bytes. */
uint64_t passing_in_block(const prober *s, const uint8_t *block);

#endif
