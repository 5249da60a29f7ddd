/* What the files of the elliptic-curve kernel share. */
#ifndef EC_INTERNAL_H
#define EC_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ec.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef unsigned __int128 u128;

#define EC_INLINE static inline __attribute__((always_inline))
#define EC_UNROLL _Pragma("GCC unroll 32")

enum { EC_P256, EC_K256, EC_25519, EC_P384, EC_448, EC_P521, EC_FIELDS };
enum { EC_LE, EC_BE, EC_BE32W, EC_PY30, EC_LAYOUTS };
enum { EC_NUMBER, EC_CLAMPED, EC_SEED, EC_KINDS };

/* Candidates that are advanced together, so that they share one inversion per window. Not a power of two: the
 * scratch arrays of 4096 candidates would fall on the same cache sets. */
#define EC_BATCH 2056
#define EC_MAX_LIMBS 9
#define EC_MIN_BITS 4
#define EC_MAX_BITS 15

/* One field in one instruction set. */
typedef struct {
    int limbs;                    /* 64-bit limbs of a field element and of a scalar */
    int scalar_bits;              /* a candidate is a number below 2^scalar_bits */
    size_t row;                   /* bytes of a point in the table */
    size_t scratch;               /* bytes of scratch per candidate */
    int (*build)(ec_comb *comb, const uint64_t *params);
    /* Adds up the points that the digits choose, and writes the x coordinates (limbs, canonical, in the field's own
     * representation) to xs; and the y coordinates to ys if it is not NULL. Returns 0, or -3 on an exception. */
    int (*run)(const ec_comb *comb, const uint16_t *digits, size_t count, void *scratch, uint64_t *xs, uint64_t *ys);
    void (*enter)(uint64_t *r, const uint64_t *x); /* canonical number -> own representation */
    void (*leave)(uint64_t *r, const uint64_t *x); /* and back */
    void (*multiply)(uint64_t *r, const uint64_t *a, const uint64_t *b); /* in the representation of the portable one */
    void (*invert)(uint64_t *r, const uint64_t *a);
    const uint64_t *prime;
} ec_ops;

struct ec_comb {
    const ec_ops *ops;
    int field, bits, windows;
    size_t points;
    void *table; /* window 0: 2^bits points, every other: 2^(bits-1); aligned to 64 bytes */
    uint64_t offset[2 * EC_MAX_LIMBS];
};

extern const ec_ops ec_portable[EC_FIELDS];
extern const ec_ops ec_ifma[EC_FIELDS];

/* Windows are of `bits` bits; in the digits array, those of window i start at i * EC_BATCH. Point `digit` of window 0
 * is (2*digit - (2^bits - 1))*G + B. In the other windows the multiples are the same without B, so that the lower half
 * is the negative of the upper: only the upper half, digits with the top bit set, is in the table. */
EC_INLINE size_t ec_window_start(const ec_comb *comb, int window)
{
    size_t half = (size_t)1 << (comb->bits - 1);
    return window ? (size_t)(window + 1) * half : 0;
}

/* Index into a half table: digit without its top bit if that is set, else mirrored (and y is to be negated). */
EC_INLINE size_t ec_half_index(unsigned digit, int bits)
{
    unsigned half = 1u << (bits - 1);
    unsigned mirror = (digit & half) ? 0 : half - 1;
    return (digit & (half - 1)) ^ mirror;
}

/* memset that the compiler may not drop: what it erases is key material. */
EC_INLINE void ec_wipe(void *p, size_t n)
{
    memset(p, 0, n);
    __asm__ volatile("" : : "r"(p) : "memory");
}

void *ec_alloc(size_t bytes); /* aligned to 64 bytes; released by free() */

/* ec_load.c: reads candidates as numbers. Returns 0 if the bytes cannot be a candidate in that layout. */
int ec_load(uint64_t *scalar, const uint8_t *src, int field, int layout, int kind);
void ec_digits(uint16_t *digits, const uint64_t *scalar, const ec_comb *comb);

/* ec_hash.c: eight 32-byte messages at once. */
void ec_sha512_32x8(const uint8_t *const messages[8], uint8_t digests[8][64]);

#endif
