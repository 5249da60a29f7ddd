/* What all code for AVX-512 IFMA does: numbers in digits of 52 bits, eight of them in the lanes of a vector. */
#ifndef IMMURE_IFMA_H
#define IMMURE_IFMA_H

#include <immintrin.h>
#include <stdint.h>

#define MASK52 (((uint64_t)1 << 52) - 1)
#define IN_VECTORS static inline __attribute__((always_inline, target("avx512f,avx512ifma")))

typedef __m512i vector;

IN_VECTORS vector set1(uint64_t x) { return _mm512_set1_epi64((long long)x); }
IN_VECTORS vector add(vector a, vector b) { return _mm512_add_epi64(a, b); }
/* c plus the low, or the high, 52 bits of the product of the low 52 bits of a and b. */
IN_VECTORS vector low(vector c, vector a, vector b) { return _mm512_madd52lo_epu64(c, a, b); }
IN_VECTORS vector high(vector c, vector a, vector b) { return _mm512_madd52hi_epu64(c, a, b); }

/* Word k of eight rows, for k = 0 to 7. */
IN_VECTORS void transpose(const vector row[8], vector word[8])
{
    vector pair[8], half[4];
    _Pragma("GCC unroll 4") for (int k = 0; k < 8; k += 2) {
        pair[k / 2] = _mm512_unpacklo_epi64(row[k], row[k + 1]); /* words 0, 2, 4, 6 of two rows */
        pair[4 + k / 2] = _mm512_unpackhi_epi64(row[k], row[k + 1]);
    }
    _Pragma("GCC unroll 2") for (int odd = 0; odd < 2; odd++) {
        const vector *p = pair + 4 * odd;
        half[0] = _mm512_shuffle_i64x2(p[0], p[1], 0x88);
        half[1] = _mm512_shuffle_i64x2(p[0], p[1], 0xdd);
        half[2] = _mm512_shuffle_i64x2(p[2], p[3], 0x88);
        half[3] = _mm512_shuffle_i64x2(p[2], p[3], 0xdd);
        word[odd] = _mm512_shuffle_i64x2(half[0], half[2], 0x88);
        word[4 + odd] = _mm512_shuffle_i64x2(half[0], half[2], 0xdd);
        word[2 + odd] = _mm512_shuffle_i64x2(half[1], half[3], 0x88);
        word[6 + odd] = _mm512_shuffle_i64x2(half[1], half[3], 0xdd);
    }
}

#endif
