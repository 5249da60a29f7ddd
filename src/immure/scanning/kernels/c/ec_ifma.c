/* The kernel for processors with AVX-512 IFMA: products of 52-bit digits in eight lanes, and the template of ec_ifma.inc.h for each
 * field. Everywhere else this file only says that it is not there. */
#include <stdlib.h>

#include "ec_internal.h"
#include "ec_reduce.h"

#if defined(__x86_64__)

#include "ifma.h"

#define IFMA __attribute__((target("avx512f,avx512ifma,avx512vl,avx512dq,avx512bw,bmi2")))

IFMA EC_INLINE __m512i sub(__m512i a, __m512i b) { return _mm512_sub_epi64(a, b); }
IFMA EC_INLINE __m512i and(__m512i a, __m512i b) { return _mm512_and_si512(a, b); }
IFMA EC_INLINE __m512i or(__m512i a, __m512i b) { return _mm512_or_si512(a, b); }
IFMA EC_INLINE __m512i shl(__m512i a, unsigned n) { return _mm512_slli_epi64(a, n); }
IFMA EC_INLINE __m512i shr(__m512i a, unsigned n) { return _mm512_srli_epi64(a, n); }
IFMA EC_INLINE __m512i sar(__m512i a, unsigned n) { return _mm512_srai_epi64(a, n); }

/* Makes all digits but the last smaller than 2^52; they may be negative. */
IFMA EC_INLINE void carry(__m512i *c, int n)
{
    EC_UNROLL for (int i = 0; i + 1 < n; i++) {
        c[i + 1] = add(c[i + 1], sar(c[i], 52));
        c[i] = and(c[i], set1(MASK52));
    }
}

/* Word k of the rows at[0] to at[7], for k = 0 to 7. */
IFMA EC_INLINE void transpose8(__m512i *words, const uint64_t *rows, const uint64_t *at, size_t row)
{
    __m512i chosen[8];
    EC_UNROLL for (int k = 0; k < 8; k++) chosen[k] = _mm512_load_si512((const void *)(rows + row * at[k]));
    transpose(chosen, words);
}

IFMA EC_INLINE __m512i load_digits(const uint16_t *digits)
{
    return _mm512_cvtepu16_epi64(_mm_loadu_si128((const void *)digits));
}

/* ec_half_index() in every lane. */
IFMA EC_INLINE __m512i half_index(__m512i digit, int bits)
{
    uint64_t half = (uint64_t)1 << (bits - 1);
    __mmask8 minus = _mm512_testn_epi64_mask(digit, set1(half));
    return and(_mm512_mask_xor_epi64(digit, minus, digit, set1(half - 1)), set1(half - 1));
}

/* ---- products ---- */

/* For p with 2^(52n) = c and 2^bits = d modulo p, c and d below 2^52: the upper half is made tight and folded down by c. */
IFMA EC_INLINE void mul_fold(__m512i *r, const __m512i *a, const __m512i *b, int n, int bits, uint64_t c, uint64_t d)
{
    __m512i t[23], s[12];
    int top = bits - 52 * (n - 1);
    EC_UNROLL for (int i = 0; i < 2 * n; i++) t[i] = set1(0);
    EC_UNROLL for (int i = 0; i < n; i++)
        EC_UNROLL for (int j = 0; j < n; j++) {
            t[i + j] = low(t[i + j], a[j], b[i]);
            t[i + j + 1] = high(t[i + j + 1], a[j], b[i]);
        }
    carry(t + n, n);
    EC_UNROLL for (int i = 0; i < n; i++) s[i] = t[i];
    s[n] = set1(0);
    EC_UNROLL for (int i = 0; i < n; i++) {
        s[i] = low(s[i], t[n + i], set1(c));
        s[i + 1] = high(s[i + 1], t[n + i], set1(c));
    }
    /* What stands above bit `bits`, but for carries still to come, once more. */
    __m512i h = shr(add(s[n - 1], shr(s[n - 2], 52)), top);
    s[n - 1] = sub(s[n - 1], shl(h, top));
    h = add(h, shl(s[n], 52 - top));
    if (d == 1) {
        s[0] = add(s[0], h); /* P-521: h has up to 56 bits */
    } else {
        s[0] = low(s[0], h, set1(d));
        s[1] = high(s[1], h, set1(d));
    }
    EC_UNROLL for (int i = 0; i < n; i++) r[i] = s[i];
    carry(r, n);
}

#define MUL_K256(r, a, b) mul_fold(r, a, b, 5, 256, 0x1000003d10, 0x1000003d1)
#define MUL_25519(r, a, b) mul_fold(r, a, b, 5, 255, 608, 19)
#define MUL_P521(r, a, b) mul_fold(r, a, b, 11, 521, (uint64_t)1 << 51, 1)

/* Montgomery's product, digit by digit; inverse = -1/p mod 2^52. */
IFMA EC_INLINE void mul_montgomery(__m512i *r, const __m512i *a, const __m512i *b, int n, const uint64_t *p, uint64_t inverse)
{
    __m512i c[12];
    EC_UNROLL for (int j = 0; j <= n; j++) c[j] = set1(0);
    EC_UNROLL for (int i = 0; i < n; i++) {
        EC_UNROLL for (int j = 0; j < n; j++) c[j] = low(c[j], a[j], b[i]);
        __m512i q = low(set1(0), c[0], set1(inverse));
        EC_UNROLL for (int j = 0; j < n; j++) c[j] = low(c[j], q, set1(p[j]));
        c[1] = add(c[1], shr(c[0], 52));
        EC_UNROLL for (int j = 0; j < n; j++) c[j] = high(high(c[j + 1], a[j], b[i]), q, set1(p[j]));
    }
    EC_UNROLL for (int j = 0; j < n; j++) r[j] = c[j];
    carry(r, n);
}

#define MUL_P384(r, a, b) mul_montgomery(r, a, b, 8, p384_prime52, 0x100000001)

/* The same for P-256, whose p = -1 mod 2^52: the quotient digit is the lowest digit itself, q*p + that digit is
 * q*2^96 + q*2^192 + q*0xffffffff0000*2^208, and only the last of the three is a multiplication. */
IFMA EC_INLINE void mul_p256(__m512i *r, const __m512i *a, const __m512i *b)
{
    const __m512i mask = set1(MASK52), p4 = set1(0xffffffff0000);
    __m512i c[6];
    EC_UNROLL for (int j = 0; j < 6; j++) c[j] = set1(0);
    EC_UNROLL for (int i = 0; i < 5; i++) {
        EC_UNROLL for (int j = 0; j < 5; j++) c[j] = low(c[j], a[j], b[i]);
        __m512i q = and(c[0], mask);
        c[1] = add(c[1], add(shr(c[0], 52), and(shl(q, 44), mask)));
        c[2] = add(c[2], shr(q, 8));
        c[3] = add(c[3], and(shl(q, 36), mask));
        c[4] = low(add(c[4], shr(q, 16)), q, p4);
        c[5] = high(set1(0), q, p4);
        EC_UNROLL for (int j = 0; j < 5; j++) c[j] = high(c[j + 1], a[j], b[i]);
    }
    EC_UNROLL for (int j = 0; j < 5; j++) r[j] = c[j];
    carry(r, 5);
}

/* The same for 448: adding q*p = q*2^448 - q*2^224 - q takes no multiplication at all. Digits may be negative in between. */
IFMA EC_INLINE void mul_448(__m512i *r, const __m512i *a, const __m512i *b)
{
    const __m512i mask = set1(MASK52);
    __m512i c[10];
    EC_UNROLL for (int j = 0; j < 10; j++) c[j] = set1(0);
    EC_UNROLL for (int i = 0; i < 9; i++) {
        EC_UNROLL for (int j = 0; j < 9; j++) c[j] = low(c[j], a[j], b[i]);
        __m512i q = and(c[0], mask);
        c[1] = add(c[1], sar(c[0], 52));
        c[4] = sub(c[4], and(shl(q, 16), mask));
        c[5] = sub(c[5], shr(q, 36));
        c[8] = add(c[8], and(shl(q, 32), mask));
        c[9] = shr(q, 20);
        EC_UNROLL for (int j = 0; j < 9; j++) c[j] = high(c[j + 1], a[j], b[i]);
    }
    EC_UNROLL for (int j = 0; j < 9; j++) r[j] = c[j];
    carry(r, 9);
}

/* ---- h*2^bits as a small multiple of 2^bits - p ---- */

IFMA EC_INLINE void fold_p256(__m512i *t, __m512i h) /* 2^224 - 2^192 - 2^96 + 1 */
{
    t[0] = add(t[0], h);
    t[1] = sub(t[1], shl(h, 44));
    t[3] = sub(t[3], shl(h, 36));
    t[4] = add(t[4], shl(h, 16));
}

IFMA EC_INLINE void fold_k256(__m512i *t, __m512i h) { t[0] = low(t[0], h, set1(0x1000003d1)); }

IFMA EC_INLINE void fold_25519(__m512i *t, __m512i h) { t[0] = low(t[0], h, set1(19)); }

IFMA EC_INLINE void fold_p384(__m512i *t, __m512i h) /* 2^128 + 2^96 - 2^32 + 1 */
{
    t[0] = add(t[0], sub(h, shl(h, 32)));
    t[1] = add(t[1], shl(h, 44));
    t[2] = add(t[2], shl(h, 24));
}

IFMA EC_INLINE void fold_448(__m512i *t, __m512i h) /* 2^224 + 1 */
{
    t[0] = add(t[0], h);
    t[4] = add(t[4], shl(h, 16));
}

IFMA EC_INLINE void fold_p521(__m512i *t, __m512i h) { t[0] = add(t[0], h); }

#define FIELD p256
#define NUMBER EC_P256
#define LIMBS 4
#define DIGITS 5
#define BITS 256
#define PRIME_BITS 256
#define MULTIPLY mul_p256
#define FOLD fold_p256
#define PRIME52 {0xfffffffffffff, 0xfffffffffff, 0, 0x1000000000, 0xffffffff0000}
#define INTO {0x10, 0xfffffff000000000, 0xffffffffffffffff, 0xfffffffef}
#define ENTER {0x30, 0xffffffbffffffff0, 0xffffffffffffffef, 0x4fffffffdf}
#define LEAVE {0, 0x10000000, 0x1000000000000000, 0xffffffff0000000}
#define INVERSE {0x100, 0xffffff0000000000, 0xffffffffffffffff, 0xfffffffeff}
#include "ec_ifma.inc.h"

#define FIELD k256
#define NUMBER EC_K256
#define LIMBS 4
#define DIGITS 5
#define BITS 256
#define PRIME_BITS 256
#define MULTIPLY MUL_K256
#define FOLD fold_k256
#define PRIME52 {0xffffefffffc2f, 0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff, 0xffffffffffff}
#define INTO {1, 0, 0, 0}
#define ENTER {1, 0, 0, 0}
#define LEAVE {1, 0, 0, 0}
#define INVERSE {1, 0, 0, 0}
#include "ec_ifma.inc.h"

#define FIELD f25519
#define NUMBER EC_25519
#define LIMBS 4
#define DIGITS 5
#define BITS 256
#define PRIME_BITS 255
#define MULTIPLY MUL_25519
#define FOLD fold_25519
#define PRIME52 {0xfffffffffffed, 0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff, 0x7fffffffffff}
#define INTO {1, 0, 0, 0}
#define ENTER {1, 0, 0, 0}
#define LEAVE {1, 0, 0, 0}
#define INVERSE {1, 0, 0, 0}
#include "ec_ifma.inc.h"

#define FIELD p384
#define NUMBER EC_P384
#define LIMBS 6
#define DIGITS 8
#define BITS 384
#define PRIME_BITS 384
#define MULTIPLY MUL_P384
#define FOLD fold_p384
#define PRIME52 \
    {0xffffffff, 0xff00000000000, 0xffffffeffffff, 0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff, \
    0xfffffffffffff, 0xfffff}
#define INTO {0x100000000, 0xffffffffffffffff, 0x100000000, 0, 0, 0}
#define ENTER {0x100000000, 0xfffffffe, 2, 0xfffffffe, 0x100000002, 0}
#define LEAVE {1, 0xfffffffeffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffff}
#define INVERSE {0, 0xffffffff00000001, 0xffffffff, 1, 0, 0}
#include "ec_ifma.inc.h"

#define FIELD f448
#define NUMBER EC_448
#define LIMBS 7
#define DIGITS 9
#define BITS 448
#define PRIME_BITS 448
#define MULTIPLY mul_448
#define FOLD fold_448
#define PRIME52 \
    {0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff, 0xffffffffeffff, \
    0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff, 0xffffffff}
#define INTO {0x100000, 0, 0, 0x10000000000000, 0, 0, 0}
#define ENTER {0x100000, 0, 0, 0x10000000000000, 0, 0, 0}
#define LEAVE {0, 0, 0, 0xffffffffffffd000, 0xffffffffffffffff, 0xffffffffffffffff, 0x1fffffffffff}
#define INVERSE {0x20000000000, 0, 0, 0, 0x300, 0, 0}
#include "ec_ifma.inc.h"

#define FIELD p521
#define NUMBER EC_P521
#define LIMBS 9
#define DIGITS 11
#define BITS 521
#define PRIME_BITS 521
#define MULTIPLY MUL_P521
#define FOLD fold_p521
#define PRIME52 \
    {0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff, \
    0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff, 1}
#define INTO {1, 0, 0, 0, 0, 0, 0, 0, 0}
#define ENTER {1, 0, 0, 0, 0, 0, 0, 0, 0}
#define LEAVE {1, 0, 0, 0, 0, 0, 0, 0, 0}
#define INVERSE {1, 0, 0, 0, 0, 0, 0, 0, 0}
#include "ec_ifma.inc.h"

const ec_ops ec_ifma[EC_FIELDS] = {
    EC_OPS(p256, EC_P256),
    EC_OPS(k256, EC_K256),
    EC_OPS(f25519, EC_25519),
    EC_OPS(p384, EC_P384),
    EC_OPS(f448, EC_448),
    EC_OPS(p521, EC_P521),
};

int ec_has_ifma(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2");
}

#else

const ec_ops ec_ifma[EC_FIELDS];
int ec_has_ifma(void) { return 0; }

#endif
