/* Reading numbers in the layouts in which runtimes keep big integers, and what a prime looks like at first sight. */
#ifndef IMMURE_RSA_NUMBERS_H
#define IMMURE_RSA_NUMBERS_H

#include "common.h"

enum { MAX_LIMBS = 64, LE64 = 0, BE = 1, BE32W = 2, BE64W = 3, PY30 = 4, SMI28 = 5, NEGATED = 6 };

/* Collects digits of `digit_bits` bits, least significant first, into limbs. 0 if a digit is out of range. */
INLINE int read_digits(const uint8_t *p, size_t digits, unsigned digit_bits, size_t limbs, uint64_t *x) {
    u128 gather = 0;
    unsigned have = 0;
    size_t limb = 0;
    for (size_t i = 0; i < digits; i++) {
        uint64_t digit;
        if (digit_bits == 30) {
            digit = load32(p + 4 * i);
        } else {
            digit = load64(p + 8 * i);
            if (digit & 0xffffffffull) return 0;
            digit >>= 32;
        }
        if (digit >> digit_bits) return 0;
        gather |= (u128)digit << have;
        have += digit_bits;
        if (have >= 64) {
            if (limb < limbs) x[limb++] = (uint64_t)gather;
            else if ((uint64_t)gather) return 0;
            gather >>= 64;
            have -= 64;
        }
    }
    while (limb < limbs) {
        x[limb++] = (uint64_t)gather;
        gather >>= 64;
    }
    return gather == 0;
}

/* The top eight bytes of a number in one of the layouts that fill their bytes. */
INLINE uint64_t read_top(const uint8_t *p, unsigned layout, size_t width) {
    uint64_t first;
    switch (layout) {
    case BE:
        return __builtin_bswap64(load64(p));
    case BE32W:
        first = load64(p);
        return first << 32 | first >> 32;
    case BE64W:
        return load64(p);
    case NEGATED:
        return ~load64(p + width - 8);
    default:
        return load64(p + width - 8);
    }
}

INLINE int read_window(const uint8_t *p, unsigned layout, unsigned bits, size_t limbs, size_t width, uint64_t *x) {
    const uint8_t *last = p + width - 8;
    /* the top limb may have fewer than eight bytes of the window: what stands beside the window is not read */
    size_t missing = 8 * (8 * limbs - width);
    switch (layout) {
    case LE64:
        memcpy(x, p, 8 * limbs - 8);
        x[limbs - 1] = read_top(p, LE64, width) >> missing;
        return 1;
    case BE:
        for (size_t i = 0; i + 1 < limbs; i++) x[i] = __builtin_bswap64(load64(last - 8 * i));
        x[limbs - 1] = read_top(p, BE, width) >> missing;
        return 1;
    case BE32W:
        for (size_t i = 0; i + 1 < limbs; i++) {
            uint64_t w = load64(last - 8 * i);
            x[i] = w << 32 | w >> 32;
        }
        x[limbs - 1] = read_top(p, BE32W, width) >> missing;
        return 1;
    case BE64W:
        for (size_t i = 0; i < limbs; i++) x[i] = load64(p + 8 * (limbs - 1 - i));
        return 1;
    case PY30:
        return read_digits(p, (bits + 29) / 30, 30, limbs, x);
    case SMI28:
        return read_digits(p, (bits + 27) / 28, 28, limbs, x);
    case NEGATED: {
        uint64_t carry = 1;
        for (size_t i = 0; i < limbs; i++) {
            uint64_t w = ~load64(p + 8 * i);
            x[i] = w + carry;
            carry = carry && x[i] == 0;
        }
        return 1;
    }
    default:
        return 0;
    }
}

/* Numbers from `least` to `least + span`. */
typedef struct {
    uint64_t least, span;
} range;

INLINE int in_range(uint64_t x, range r) { return x - r.least <= r.span; }

/* The byte of a window in which the number's lowest bit stands. */
INLINE size_t lowest_byte(unsigned layout, size_t width) {
    switch (layout) {
    case BE:
        return width - 1;
    case BE32W:
        return width - 4;
    case BE64W:
        return width - 8;
    case SMI28:
        return 4;
    default:
        return 0;
    }
}

/* Bits that are never set in words of digits. */
#define PY30_SPARE 0xc0000000c0000000ull
#define SMI28_SPARE 0xf0000000ffffffffull

/* A cheap look at the two ends of a window before it is read: an odd number, with its top eight bytes in a range? */
INLINE int ends_fit(const uint8_t *p, unsigned layout, size_t width, range top) {
    if (!(p[lowest_byte(layout, width)] & 1)) return 0;
    switch (layout) {
    case PY30:
        return ((load64(p) | load64(p + width - 8)) & PY30_SPARE) == 0;
    case SMI28:
        return ((load64(p) | load64(p + width - 8)) & SMI28_SPARE) == 0;
    default:
        return in_range(read_top(p, layout, width), top);
    }
}

/* Top bytes of the limbs of a random number differ; those of floats, pointers, text and tables do not. Six bits of up to sixteen of them
 * are marked in one word; fewer than half as many marks as limbs happen to a random number once in 10^6 (8 or 16 limbs looked at). */
INLINE int is_varied(const uint8_t *p, size_t limbs) {
    uint64_t seen = 0;
    size_t look = limbs < 16 ? limbs : 16;
    for (size_t i = 0; i < look; i++) seen |= 1ull << (load64(p + 8 * i) >> 56 & 63);
    return (size_t)__builtin_popcountll(seen) * 2 >= look;
}

#endif
