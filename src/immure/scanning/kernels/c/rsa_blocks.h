/* Which of many windows in a row may be primes: their ends, and the sums of their bytes.
 *
 * Plain loops over arrays, each of which becomes vector code (16 to 64 windows at a time) when compiled for a processor that has it. */
#ifndef IMMURE_RSA_BLOCKS_H
#define IMMURE_RSA_BLOCKS_H

#include "rsa_primes.h"

/* Steps of a byte: the top byte and the lowest are looked at. */
INLINE void ends_of_bytes(const prime_test *t, const uint8_t *p, size_t n, uint8_t *flag) {
    const uint8_t *top = t->layout == BE ? p : p + t->width - 1, *low = p + lowest_byte(t->layout, t->width);
    uint8_t least = (uint8_t)(t->top.least >> 56), span = (uint8_t)((t->top.least + t->top.span) >> 56);
    span = (uint8_t)(span - least);
    for (size_t i = 0; i < n; i++) flag[i] = low[i] & ((uint8_t)(top[i] - least) <= span);
}

/* Steps of four bytes: words of the number, or digits. */
INLINE void ends_of_halves(const prime_test *t, const uint8_t *p, size_t n, uint8_t *flag) {
    const uint8_t *low = p + lowest_byte(t->layout, t->width), *last = p + t->width - 8;
    uint32_t least = (uint32_t)(t->top.least >> 32), span = (uint32_t)((t->top.least + t->top.span) >> 32) - least;
    if (t->layout == PY30) {
        for (size_t i = 0; i < n; i++) {
            uint32_t any = load32(p + 4 * i) | load32(p + 4 * i + 4) | load32(last + 4 * i) | load32(last + 4 * i + 4);
            flag[i] = (uint8_t)(load32(low + 4 * i) & (any <= (uint32_t)~PY30_SPARE));
        }
    } else {
        for (size_t i = 0; i < n; i++) flag[i] = (uint8_t)(load32(low + 4 * i) & (load32(p + 4 * i) - least <= span));
    }
}

/* Steps of eight bytes. */
#define ENDS_OF_WORDS(fits) \
    for (size_t i = 0; i < n; i++) { \
        const uint8_t *at = p + 8 * i; \
        flag[i] = (uint8_t)(load64(low + 8 * i) >> shift & (fits)); \
    }

INLINE void ends_of_words(const prime_test *t, const uint8_t *p, size_t n, uint8_t *flag) {
    size_t width = t->width, lowest = lowest_byte(t->layout, width), behind = lowest + 8 > width ? lowest + 8 - width : 0;
    const uint8_t *low = p + lowest - behind;
    uint64_t shift = 8 * behind;
    range top = t->top;
    switch (t->layout) {
    case LE64:
        ENDS_OF_WORDS(in_range(read_top(at, LE64, width), top))
        break;
    case BE:
        ENDS_OF_WORDS(in_range(read_top(at, BE, width), top))
        break;
    case BE32W:
        ENDS_OF_WORDS(in_range(read_top(at, BE32W, width), top))
        break;
    case BE64W:
        ENDS_OF_WORDS(in_range(read_top(at, BE64W, width), top))
        break;
    case NEGATED:
        ENDS_OF_WORDS(in_range(read_top(at, NEGATED, width), top))
        break;
    default:
        ENDS_OF_WORDS(((load64(at) | load64(at + width - 8)) & SMI28_SPARE) == 0)
    }
}

/* What the bytes at each step from p on add up to; the largest sum there may be. */
INLINE unsigned sum_units(const uint8_t *p, size_t step, size_t units, uint16_t *sum) {
    if (step == 1) {
        for (size_t i = 0; i < units; i++) sum[i] = p[i];
    } else if (step == 4) {
        for (size_t i = 0; i < units; i++) {
            uint32_t x = load32(p + 4 * i);
            x = (x & 0xff00ff) + (x >> 8 & 0xff00ff);
            sum[i] = (uint16_t)(x + (x >> 16));
        }
    } else {
        for (size_t i = 0; i < units; i++) {
            uint64_t x = load64(p + 8 * i);
            x = (x & 0xff00ff00ff00ffull) + (x >> 8 & 0xff00ff00ff00ffull);
            x += x >> 32;
            sum[i] = (uint16_t)(x + (x >> 16));
        }
    }
    return 255 * (unsigned)step;
}

/* Whole vectors of 32 sums, so that no loop has a rest. */
#define EACH(i, n) for (size_t i##32 = 0; i##32 < (n); i##32 += 32) for (size_t i = i##32; i < i##32 + 32; i++)

/* Sums of two digits to the base 256 instead, which are the same modulo 255; the largest there may be. */
INLINE unsigned make_small(uint16_t *sum, size_t n, unsigned most) {
    EACH(i, n) sum[i] = (uint16_t)((sum[i] & 255) + (sum[i] >> 8));
    return 255 + most / 256;
}

/* b->total[i]: the sum of units i to i + width - 1, modulo 255, from sums of 1, 2, 4, … of them. */
INLINE void window_sums(block *b, size_t n, size_t width, unsigned most) {
    uint16_t *restrict total = b->total;
    size_t at = 0, left = n + width - 1; /* how many sums of so many units there are */
    unsigned total_most = 0;
    for (size_t i = left; i % 32; i++) b->sum[0][i] = 0;
    memset(total, 0, 2 * n);
    for (size_t length = 1, from = 0; length <= width; length *= 2, from ^= 1) {
        uint16_t *restrict sum = b->sum[from], *restrict twice = b->sum[from ^ 1];
        if (total_most + 2 * most > 0xffff) most = make_small(sum, left, most); /* now it is not, at any width */
        if (width & length) {
            EACH(i, n) total[i] = (uint16_t)(total[i] + sum[at + i]);
            total_most += most;
            at += length;
        }
        if (2 * length > width) break;
        left -= length;
        EACH(i, left) twice[i] = (uint16_t)(sum[i] + sum[i + length]);
        most *= 2;
    }
}

/* Whether there are sums for these windows. */
INLINE int has_sums(const prime_test *t) { return t->layout != PY30 && t->layout != SMI28 && t->width % t->step == 0; }

/* Sums of R - p with R = 1 modulo 255: made those of -p. */
INLINE void negate_totals(block *b, size_t n) {
    make_small(b->total, n, 0xffff);
    EACH(i, n) b->total[i] += 254;
}

/* Takes the flag from windows that 3, 5 or 17 divides: those divide 255 = 2^8 - 1, so that it is enough to know what the bytes of the
 * number add up to, in whatever order they stand. */
INLINE void drop_multiples(const prime_test *t, const uint8_t *p, size_t n, block *b) {
    size_t units = t->width / t->step;
    window_sums(b, n, units, sum_units(p, t->step, n + units - 1, b->sum[0]));
    if (t->layout == NEGATED) negate_totals(b, n);
    /* a multiple of an odd number, times its inverse modulo 2^16, is what is left of it by division */
    EACH(i, n) {
        uint16_t v = b->total[i];
        b->flag[i] = b->flag[i] & ((uint16_t)(v * 0xaaabu) > 0x5555) & ((uint16_t)(v * 0xcccdu) > 0x3333)
            & ((uint16_t)(v * 0xf0f1u) > 0x0f0f);
    }
}

INLINE uint64_t flags64(const uint8_t *flag) {
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits |= (load64(flag + 8 * i) & 0x0101010101010101ull) * 0x0102040810204080ull >> 56 << (8 * i);
    return bits;
}

/* Whether there are vector loops for this layout at this step. */
INLINE int has_blocks(const prime_test *t) {
    if (t->step == 8) return t->layout != PY30;
    if (t->step == 4) return t->layout == BE32W || t->layout == PY30;
    return t->step == 1 && (t->layout == LE64 || t->layout == BE);
}

/* bits[i / 64] bit (i % 64): window i, i * step bytes from p, may be a prime. n: a multiple of 64, at most BLOCK; the windows are all in the
 * buffer. Some that do not pass ends_fit() remain. */
INLINE void fitting(const prime_test *t, const uint8_t *p, size_t n, block *b, uint64_t *bits) {
    size_t fit = 0;
    if (t->step == 1) ends_of_bytes(t, p, n, b->flag);
    else if (t->step == 4) ends_of_halves(t, p, n, b->flag);
    else ends_of_words(t, p, n, b->flag);
    for (size_t i = 0; i < n / 64; i++) fit += (size_t)__builtin_popcountll(bits[i] = flags64(b->flag + 64 * i));
    if (fit < FEW * (n / 64) || !has_sums(t)) return; /* the sums would cost more than they save */
    drop_multiples(t, p, n, b);
    for (size_t i = 0; i < n / 64; i++) bits[i] = flags64(b->flag + 64 * i);
}

#endif
