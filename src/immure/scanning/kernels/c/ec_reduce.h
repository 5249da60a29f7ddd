/* Carry chains, and the reduction of a double-length product modulo each prime.
 *
 * Every reduce_* takes 2n limbs (which it may change) and leaves the canonical residue in r. P-256 and P-384 are held in
 * Montgomery form (their reductions also divide by 2^(64n)); the other primes have so few terms that folding the upper half
 * down is cheaper than that. The shape of each prime is in the comment of its function (SEC 2; FIPS 186-5; RFC 7748).
 */
#ifndef EC_REDUCE_H
#define EC_REDUCE_H

#include "ec_internal.h"

EC_INLINE uint64_t adc(uint64_t a, uint64_t b, uint64_t *carry)
{
#if defined(__x86_64__)
    unsigned long long r;
    *carry = _addcarry_u64((unsigned char)*carry, a, b, &r);
    return r;
#else
    u128 t = (u128)a + b + *carry;
    *carry = (uint64_t)(t >> 64);
    return (uint64_t)t;
#endif
}

EC_INLINE uint64_t sbb(uint64_t a, uint64_t b, uint64_t *borrow)
{
#if defined(__x86_64__)
    unsigned long long r;
    *borrow = _subborrow_u64((unsigned char)*borrow, a, b, &r);
    return r;
#else
    u128 t = (u128)a - b - *borrow;
    *borrow = (uint64_t)(t >> 64) & 1;
    return (uint64_t)t;
#endif
}

/* a*b + c + *carry, which fits into two limbs; the upper one becomes the new carry. */
EC_INLINE uint64_t mac(uint64_t a, uint64_t b, uint64_t c, uint64_t *carry)
{
    u128 t = (u128)a * b + c + *carry;
    *carry = (uint64_t)(t >> 64);
    return (uint64_t)t;
}

/* r = t + top*2^(64n) mod p, for a value below 2p. */
EC_INLINE void reduce_once(uint64_t *r, const uint64_t *t, uint64_t top, const uint64_t *p, int n)
{
    uint64_t s[EC_MAX_LIMBS], borrow = 0;
    EC_UNROLL for (int i = 0; i < n; i++) s[i] = sbb(t[i], p[i], &borrow);
    sbb(top, 0, &borrow);
    uint64_t keep = 0 - borrow;
    EC_UNROLL for (int i = 0; i < n; i++) r[i] = (t[i] & keep) | (s[i] & ~keep);
}

EC_INLINE void mul_wide(uint64_t *t, const uint64_t *a, const uint64_t *b, int n)
{
    uint64_t carry = 0;
    EC_UNROLL for (int j = 0; j < n; j++) t[j] = mac(a[0], b[j], 0, &carry);
    t[n] = carry;
    EC_UNROLL for (int i = 1; i < n; i++) {
        carry = 0;
        EC_UNROLL for (int j = 0; j < n; j++) t[i + j] = mac(a[i], b[j], t[i + j], &carry);
        t[i + n] = carry;
    }
}

/* p = 2^256 - 2^224 + 2^192 + 2^96 - 1. p = -1 mod 2^64, so the Montgomery quotient digit is the lowest limb itself, and
 * adding q*(2^96 - 1) clears that limb and leaves q*2^96: of the four products only the topmost is a real one. */
EC_INLINE void reduce_p256(uint64_t *r, uint64_t *t, const uint64_t *p)
{
    uint64_t top = 0;
    EC_UNROLL for (int i = 0; i < 4; i++) {
        uint64_t q = t[i], carry = 0;
        t[i + 1] = adc(t[i + 1], q << 32, &carry);
        t[i + 2] = adc(t[i + 2], q >> 32, &carry);
        t[i + 3] = mac(q, 0xffffffff00000001, t[i + 3], &carry);
        u128 sum = (u128)t[i + 4] + carry + top;
        t[i + 4] = (uint64_t)sum;
        top = (uint64_t)(sum >> 64);
    }
    reduce_once(r, t + 4, top, p, 4);
}

/* p = 2^384 - 2^128 - 2^96 + 2^32 - 1; -1/p = 2^32 + 1 mod 2^64. */
EC_INLINE void reduce_p384(uint64_t *r, uint64_t *t, const uint64_t *p)
{
    uint64_t top = 0;
    EC_UNROLL for (int i = 0; i < 6; i++) {
        uint64_t q = t[i] + (t[i] << 32), carry = 0;
        EC_UNROLL for (int j = 0; j < 6; j++) t[i + j] = mac(q, p[j], t[i + j], &carry);
        u128 sum = (u128)t[i + 6] + carry + top;
        t[i + 6] = (uint64_t)sum;
        top = (uint64_t)(sum >> 64);
    }
    reduce_once(r, t + 6, top, p, 6);
}

/* p = 2^256 - 2^32 - 977. */
EC_INLINE void reduce_k256(uint64_t *r, uint64_t *t, const uint64_t *p)
{
    const uint64_t c = 0x1000003d1;
    uint64_t carry = 0, over = 0;
    EC_UNROLL for (int i = 0; i < 4; i++) t[i] = mac(t[4 + i], c, t[i], &carry);
    u128 fold = (u128)carry * c;
    t[0] = adc(t[0], (uint64_t)fold, &over);
    t[1] = adc(t[1], (uint64_t)(fold >> 64), &over);
    t[2] = adc(t[2], 0, &over);
    t[3] = adc(t[3], 0, &over);
    reduce_once(r, t, over, p, 4);
}

/* p = 2^255 - 19: first 2^256 = 38, then what stands above bit 255 times 19. */
EC_INLINE void reduce_25519(uint64_t *r, uint64_t *t, const uint64_t *p)
{
    uint64_t carry = 0, over = 0;
    EC_UNROLL for (int i = 0; i < 4; i++) t[i] = mac(t[4 + i], 38, t[i], &carry);
    uint64_t high = (carry << 1) | (t[3] >> 63);
    t[3] &= ~(uint64_t)0 >> 1;
    t[0] = adc(t[0], high * 19, &over);
    t[1] = adc(t[1], 0, &over);
    t[2] = adc(t[2], 0, &over);
    t[3] = adc(t[3], 0, &over);
    reduce_once(r, t, 0, p, 4);
}

/* p = 2^448 - 2^224 - 1. With the upper half h = h0 + 2^224*h1: h*2^448 = h + (h1 + 2^224*h0) + 2^224*h1. */
EC_INLINE void reduce_448(uint64_t *r, uint64_t *t, const uint64_t *p)
{
    uint64_t h[7], carry = 0, over = 0;
    EC_UNROLL for (int i = 0; i < 7; i++) h[i] = t[7 + i];
    EC_UNROLL for (int i = 0; i < 7; i++) {
        uint64_t turned = (h[(i + 3) % 7] >> 32) | (h[(i + 4) % 7] << 32); /* h1 + 2^224*h0 */
        uint64_t upper = i < 3 ? 0 : i == 3 ? h[3] & 0xffffffff00000000 : h[i];
        u128 sum = (u128)t[i] + h[i] + turned + upper + carry;
        t[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
    t[0] = adc(t[0], carry, &over);
    t[1] = adc(t[1], 0, &over);
    t[2] = adc(t[2], 0, &over);
    t[3] = adc(t[3], carry << 32, &over);
    EC_UNROLL for (int i = 4; i < 7; i++) t[i] = adc(t[i], 0, &over);
    reduce_once(r, t, over, p, 7);
}

/* p = 2^521 - 1. */
EC_INLINE void reduce_p521(uint64_t *r, uint64_t *t, const uint64_t *p)
{
    uint64_t s[9], carry = 0;
    EC_UNROLL for (int i = 0; i < 9; i++) {
        uint64_t low = i == 8 ? t[8] & 0x1ff : t[i];
        s[i] = adc(low, (t[8 + i] >> 9) | (t[9 + i] << 55), &carry);
    }
    uint64_t high = s[8] >> 9;
    s[8] &= 0x1ff;
    carry = 0;
    s[0] = adc(s[0], high, &carry);
    EC_UNROLL for (int i = 1; i < 9; i++) s[i] = adc(s[i], 0, &carry);
    reduce_once(r, s, 0, p, 9);
}

#endif
