/* What the files for processors with AVX-512 IFMA share. */
#ifndef IMMURE_RSA_IFMA_H
#define IMMURE_RSA_IFMA_H

#include "rsa_blocks.h"

#if defined(__x86_64__)
#include "ifma.h"

#define IFMA __attribute__((target("avx512f,avx512ifma,avx512vl,avx512dq,avx512bw,avx512vbmi2,avx512vpopcntdq")))
#define IFMA_INLINE IFMA INLINE
#define UNROLL _Pragma("GCC unroll 16")

#endif
#endif
