/* SHA-256 (FIPS 180-4, section 6.2): sixteen messages in the lanes of vectors, or four at a time by the processor's
 * own instructions for it. */
#include "sketch_hash.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define HASH_INLINE static inline __attribute__((always_inline))
#define ROTATE(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

/* Fractional parts of the cube roots of the first 64 primes. */
static const uint32_t k[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* Fractional parts of the square roots of the first 8 primes. */
static const uint32_t start[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

enum { MESSAGE_BITS = 8 * (64 + 16), END_MARK = (int)0x80000000u };

/* One block; `rounds` is written once for numbers and for vectors of them. */
#define ROUNDS(type, m, s)                                                                                        \
    for (int t = 0; t < 64; t++) {                                                                                \
        if (t >= 16) {                                                                                            \
            type one = m[(t + 1) & 15], two = m[(t + 14) & 15];                                                   \
            m[t & 15] += (ROTATE(one, 7) ^ ROTATE(one, 18) ^ (one >> 3)) + m[(t + 9) & 15]                        \
                       + (ROTATE(two, 17) ^ ROTATE(two, 19) ^ (two >> 10));                                       \
        }                                                                                                         \
        type a = s[0], e = s[4];                                                                                  \
        type t1 = s[7] + (ROTATE(e, 6) ^ ROTATE(e, 11) ^ ROTATE(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + k[t]       \
                + m[t & 15];                                                                                      \
        type t2 = (ROTATE(a, 2) ^ ROTATE(a, 13) ^ ROTATE(a, 22)) + ((a & s[1]) | (s[2] & (a | s[1])));            \
        for (int i = 7; i > 0; i--) s[i] = s[i - 1];                                                              \
        s[4] += t1;                                                                                               \
        s[0] = t1 + t2;                                                                                           \
    }

void sketch_state(const uint8_t block[64], uint32_t state[8]) {
    uint32_t m[16], s[8];
    for (int i = 0; i < 16; i++) {
        memcpy(&m[i], block + 4 * i, 4);
        m[i] = __builtin_bswap32(m[i]);
    }
    memcpy(s, start, sizeof s);
    ROUNDS(uint32_t, m, s)
    for (int i = 0; i < 8; i++) state[i] = start[i] + s[i];
}

HASH_INLINE void in_lanes(const uint32_t state[8], const uint32_t words[4][LANES], uint64_t out[LANES]) {
    const lanes zero = {0};
    lanes m[16], s[8];
    uint32_t high[LANES], low[LANES];
    memcpy(m, words, 4 * sizeof m[0]);
    for (int i = 4; i < 16; i++) m[i] = zero;
    m[4] = zero + (uint32_t)END_MARK;
    m[15] = zero + MESSAGE_BITS;
    for (int i = 0; i < 8; i++) s[i] = zero + state[i];
    ROUNDS(lanes, m, s)
    s[0] += state[0];
    s[1] += state[1];
    memcpy(high, &s[0], sizeof high);
    memcpy(low, &s[1], sizeof low);
    for (int i = 0; i < LANES; i++) out[i] = (uint64_t)high[i] << 32 | low[i];
}

static void hash_plain(const uint32_t state[8], const uint32_t words[4][LANES], uint64_t out[LANES]) {
    in_lanes(state, words, out);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void
hash_avx2(const uint32_t state[8], const uint32_t words[4][LANES], uint64_t out[LANES]) {
    in_lanes(state, words, out);
}

__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,prefer-vector-width=512"))) static void
hash_avx512(const uint32_t state[8], const uint32_t words[4][LANES], uint64_t out[LANES]) {
    in_lanes(state, words, out);
}

/* The instructions keep a, b, e, f in one register and c, d, g, h in another, and wait four cycles for each other: so four
 * messages go side by side. */
enum { TOGETHER = 4 };

__attribute__((target("sha,sse4.1,ssse3"))) static void
hash_sha_ni(const uint32_t state[8], const uint32_t words[4][LANES], uint64_t out[LANES]) {
    const __m128i abef = _mm_set_epi32((int)state[0], (int)state[1], (int)state[4], (int)state[5]);
    const __m128i cdgh = _mm_set_epi32((int)state[2], (int)state[3], (int)state[6], (int)state[7]);
    for (int base = 0; base < LANES; base += TOGETHER) {
        __m128i m[TOGETHER][4], x[TOGETHER], y[TOGETHER];
        for (int j = 0; j < TOGETHER; j++) {
            int lane = base + j;
            m[j][0] = _mm_set_epi32((int)words[3][lane], (int)words[2][lane], (int)words[1][lane], (int)words[0][lane]);
            m[j][1] = _mm_set_epi32(0, 0, 0, END_MARK);
            m[j][2] = _mm_setzero_si128();
            m[j][3] = _mm_set_epi32(MESSAGE_BITS, 0, 0, 0);
            x[j] = abef;
            y[j] = cdgh;
        }
#pragma GCC unroll 16
        for (int t = 0; t < 16; t++) {
            const __m128i add = _mm_load_si128((const __m128i *)(k + 4 * t));
#pragma GCC unroll 4
            for (int j = 0; j < TOGETHER; j++) {
                __m128i *w = m[j], sum;
                if (t >= 4) {
                    __m128i mixed = _mm_add_epi32(_mm_sha256msg1_epu32(w[t & 3], w[(t + 1) & 3]),
                                                  _mm_alignr_epi8(w[(t + 3) & 3], w[(t + 2) & 3], 4));
                    w[t & 3] = _mm_sha256msg2_epu32(mixed, w[(t + 3) & 3]);
                }
                sum = _mm_add_epi32(w[t & 3], add);
                y[j] = _mm_sha256rnds2_epu32(y[j], x[j], sum);
                x[j] = _mm_sha256rnds2_epu32(x[j], y[j], _mm_shuffle_epi32(sum, 0x0e));
            }
        }
        for (int j = 0; j < TOGETHER; j++) {
            __m128i sum = _mm_add_epi32(x[j], abef);
            out[base + j] = (uint64_t)_mm_extract_epi64(sum, 1); /* a above b */
        }
    }
}
#endif

sketch_hash *sketch_hash_of(int kind) {
    if (kind == 1) return hash_plain;
#if defined(__x86_64__)
    if (kind == 2 && __builtin_cpu_supports("avx2")) return hash_avx2;
    if (kind == 3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
        return hash_avx512;
    if (kind == 4 && __builtin_cpu_supports("sha") && __builtin_cpu_supports("sse4.1")) return hash_sha_ni;
#endif
    return NULL;
}

sketch_hash *sketch_best_hash(void) {
    static const int order[] = {3, 4, 2};
    for (int i = 0; i < 3; i++) {
        sketch_hash *one = sketch_hash_of(order[i]);
        if (one) return one;
    }
    return hash_plain;
}
