/* What the files for processors with AVX-512 IFMA share. */
#ifndef IMMURE_RSA_IFMA_H
#define IMMURE_RSA_IFMA_H

#include "rsa_blocks.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define IFMA __attribute__((target("avx512f,avx512ifma,avx512vl,avx512dq,avx512bw,avx512vbmi2,avx512vpopcntdq")))
#define IFMA_INLINE IFMA INLINE
#define UNROLL _Pragma("GCC unroll 16")

typedef __m512i vector;

IFMA_INLINE vector set1(uint64_t x) { return _mm512_set1_epi64((long long)x); }

#endif
#endif
