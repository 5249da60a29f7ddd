/* Division of candidates one by one: by small primes, and of moduli by them. */
#ifndef IMMURE_RSA_DIVIDE_H
#define IMMURE_RSA_DIVIDE_H

#include "rsa_primes.h"

/* --- trial division ------------------------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t weight[2 * MAX_LIMBS]; /* 2^(32 i) mod modulus */
    uint32_t modulus;
    uint64_t reciprocal;             /* floor(2^64 / modulus) */
    uint32_t inverse[SIEVE_PRIMES], limit[SIEVE_PRIMES]; /* p divides x if x * inverse <= limit, modulo 2^32 (Granlund, Montgomery 1994) */
    int primes;
} sieve_group;

static void sieve_prepare(sieve_group *group, size_t g, size_t limbs) {
    uint64_t w = 1;
    group->modulus = 1;
    group->primes = 0;
    for (int i = 0; i < SIEVE_PRIMES && rsa_sieve_primes[g][i]; i++, group->primes++) {
        uint32_t p = rsa_sieve_primes[g][i], x = p * 3 ^ 2;
        for (int k = 0; k < 3; k++) x *= 2 - p * x;
        group->inverse[i] = x;
        group->limit[i] = 0xffffffffu / p;
        group->modulus *= p;
    }
    group->reciprocal = ~0ull / group->modulus;
    for (size_t i = 0; i < 2 * limbs; i++) {
        group->weight[i] = (uint32_t)w;
        w = (w << 32) % group->modulus;
    }
}

INLINE int has_factor(const uint64_t *x, size_t limbs, const sieve_group *group) {
    uint64_t sum = 0;
    const uint32_t *weight = group->weight;
    for (size_t i = 0; i < limbs; i++) sum += (x[i] & 0xffffffffull) * weight[2 * i] + (x[i] >> 32) * weight[2 * i + 1];
    /* Barrett's quotient is at most 2 too small: the rest may keep multiples of the modulus, which its primes divide as well */
    uint32_t rest = (uint32_t)(sum - (uint64_t)(((u128)sum * group->reciprocal) >> 64) * group->modulus);
    int found = 0;
    for (int i = 0; i < group->primes; i++) found |= rest * group->inverse[i] <= group->limit[i];
    return found;
}

/* 2^64 = 1 modulo 3, 5 and 17: the sum of the limbs tells all of them. */
INLINE int has_fermat_factor(const uint64_t *x, size_t limbs) {
    u128 sum = 0;
    for (size_t i = 0; i < limbs; i++) sum += x[i];
    uint64_t s = (uint64_t)sum, carry = (uint64_t)(sum >> 64);
    s += carry;
    s += s < carry;
    return s % 3 == 0 || s % 5 == 0 || s % 17 == 0;
}

/* --- exact division --------------------------------------------------------------------------------------------------------- */

/* Inverse of an odd number modulo 2^64, by Newton's iteration from five right bits. */
INLINE uint64_t inverse64(uint64_t p) {
    uint64_t x = p * 3 ^ 2;
    for (int i = 0; i < 4; i++) x *= 2 - p * x;
    return x;
}

/* y = n / p modulo 2^(64 limbs), for an odd p: limb by limb from the low end, each from the sum of a column of products. */
INLINE void divide_low(uint64_t *y, const uint64_t *p, const uint64_t *n, size_t limbs, uint64_t inverse) {
    u128 sum = 0; /* of a column, with `over` above it */
    for (size_t j = 0; j < limbs; j++) {
        uint64_t over = 0;
        for (size_t i = 0; i < j; i++) {
            u128 product = (u128)y[i] * p[j - i];
            sum += product;
            over += sum < product;
        }
        y[j] = (n[j] - (uint64_t)sum) * inverse;
        u128 product = (u128)y[j] * p[0];
        sum += product; /* its low limb is n[j] now */
        over += sum < product;
        sum = (u128)over << 64 | sum >> 64;
    }
}

/* Whether the quotient n / p, were it exact, has the top limb that the sizes of n and p imply. For a p that does not divide n the top limb
 * of its quotient from the low end is as good as random. Wrong "yes" about once in 2^38 windows; the caller confirms. */
INLINE int may_divide(const uint64_t *p, const uint64_t *n, size_t limbs, uint64_t inverse, double quotient_top) {
    uint64_t y[MAX_LIMBS];
    divide_low(y, p, n, limbs, inverse);
    double off = quotient_top - (double)y[limbs - 1];
    double slack = quotient_top * 0x1p-40 + 4;
    wipe(y, 8 * limbs);
    return off < slack && off > -slack;
}

INLINE double top_as_double(const uint64_t *x, size_t limbs) {
    return (double)x[limbs - 1] * 0x1p64 + (double)(limbs > 1 ? x[limbs - 2] : 0);
}

/* y = 1 / p modulo 2^(64 limbs). */
INLINE void invert(uint64_t *y, const uint64_t *p, size_t limbs, uint64_t inverse) {
    static const uint64_t one[MAX_LIMBS] = {1};
    divide_low(y, p, one, limbs, inverse);
}

/* may_divide() for p's inverse y: only the top limb of y * n is worked out, but for carries from below it, of which there are fewer than
 * twice as many as limbs. */
INLINE int may_be_quotient(const uint64_t *y, const uint64_t *n, size_t limbs, double quotient_top) {
    uint64_t top = y[0] * n[limbs - 1];
    for (size_t i = 0; i + 1 < limbs; i++) top += y[limbs - 1 - i] * n[i] + (uint64_t)((u128)y[limbs - 2 - i] * n[i] >> 64);
    double slack = quotient_top * 0x1p-40 + 4 + 2 * (double)limbs;
    if (quotient_top - slack >= 0x1p64) return 0;
    int64_t off = (int64_t)((quotient_top >= 0x1p64 ? ~0ull : (uint64_t)quotient_top) - top);
    return (double)off < slack && (double)off > -slack;
}

#endif
