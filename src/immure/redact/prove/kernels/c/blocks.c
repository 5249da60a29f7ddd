/* The inner loop: which windows of an image, beginning at every byte, pass the filter. Three versions, for newer and newer vector units. */
#include "probe_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { PROSE = 1, TOKEN = 2, DIGIT = 4, UPPER = 8, LOWER = 16, SMALL = 32 };

ALWAYS_INLINE int between(int byte, int low, int high) { return byte >= low && byte <= high; }

static uint8_t kind_of(int byte) {
    int digit = between(byte, '0', '9'), upper = between(byte, 'A', 'Z'), lower = between(byte, 'a', 'z');
    int end = byte == '\n' || byte == '\r';
    int token = digit || upper || lower || end || byte == '+' || byte == '/' || byte == '-' || byte == '_' || byte == '\\';
    int prose = between(byte, 0x20, 0x7e) || end || byte == '\t';
    return (uint8_t)(PROSE * prose | TOKEN * token | DIGIT * digit | UPPER * upper | LOWER * lower | SMALL * (byte < 16));
}

static uint8_t table[256];

/* Bit `bit` of eight bytes, gathered. */
ALWAYS_INLINE uint64_t gather_bits(uint64_t eight, int bit) {
    return ((eight >> bit & 0x0101010101010101ull) * 0x0102040810204080ull) >> 56;
}

ALWAYS_INLINE void kinds_by_table(const uint8_t *p, kinds *k) {
    memset(k, 0, sizeof *k);
    for (int i = 0; i < BLOCK; i += 8) {
        uint64_t eight = 0, some = window_at(p + i);
        for (int j = 0; j < 8; j++) eight |= (uint64_t)table[p[i + j]] << 8 * j;
        uint64_t zero = ~(((some & 0x7f7f7f7f7f7f7f7full) + 0x7f7f7f7f7f7f7f7full) | some) >> 7;
        k->zero |= gather_bits(zero, 0) << i;
        k->small |= gather_bits(eight, 5) << i;
        k->prose |= gather_bits(eight, 0) << i;
        k->token |= gather_bits(eight, 1) << i;
        k->digit |= gather_bits(eight, 2) << i;
        k->upper |= gather_bits(eight, 3) << i;
        k->lower |= gather_bits(eight, 4) << i;
    }
}

void kinds_plain(const uint8_t *p, kinds *out) { kinds_by_table(p, out); }

ALWAYS_INLINE uint64_t filter_plain(const prober *s, const uint8_t *p, uint64_t worth) {
    uint64_t passing = 0;
    for (; worth; worth &= worth - 1) {
        int i = __builtin_ctzll(worth);
        passing |= (uint64_t)passes(s, window_at(p + i)) << i;
    }
    return passing;
}

ALWAYS_INLINE int is_zero_plain(const uint8_t *p) {
    uint64_t any = 0;
    for (int i = 0; i < BLOCK; i += 8) any |= window_at(p + i);
    return any == 0;
}

/* A function `name` that is next_passing for one vector unit. */
#define NEXT_PASSING(name, is_zero, kinds_of, filter_of) \
    static size_t name(const prober *s, const uint8_t *buf, size_t at, size_t last, uint64_t *passing) { \
        for (*passing = 0; at <= last; at += WINDOWS) { \
            if (is_zero(buf + at)) continue; \
            kinds k; \
            kinds_of(buf + at, &k); \
            uint64_t worth = worth_probing(&k, s->probe_prose); \
            if (worth && (*passing = filter_of(s, buf + at, worth)) != 0) return at; \
        } \
        return at; \
    }

NEXT_PASSING(next_plain, is_zero_plain, kinds_by_table, filter_plain)

uint64_t passing_in_block(const prober *s, const uint8_t *block) {
    kinds k;
    kinds_by_table(block, &k);
    return filter_plain(s, block, worth_probing(&k, s->probe_prose));
}

#if defined(__x86_64__)

/* --- AVX2: kinds by comparison, the filter window by window ---------------------------------------------------------------- */

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE AVX2 static inline __attribute__((always_inline))

AVX2_INLINE __m256i equal(__m256i x, char byte) { return _mm256_cmpeq_epi8(x, _mm256_set1_epi8(byte)); }

AVX2_INLINE __m256i within(__m256i x, char low, char span) {
    __m256i from = _mm256_sub_epi8(x, _mm256_set1_epi8(low));
    return _mm256_cmpeq_epi8(_mm256_min_epu8(from, _mm256_set1_epi8(span)), from);
}

AVX2_INLINE uint64_t bits_of(__m256i x) { return (uint32_t)_mm256_movemask_epi8(x); }

AVX2_INLINE void kinds_half(__m256i x, kinds *k, int shift) {
    __m256i digit = within(x, '0', 9), upper = within(x, 'A', 25), lower = within(x, 'a', 25);
    __m256i end = _mm256_or_si256(equal(x, '\n'), equal(x, '\r'));
    __m256i signs = _mm256_or_si256(_mm256_or_si256(equal(x, '+'), equal(x, '/')), _mm256_or_si256(equal(x, '-'), equal(x, '_')));
    __m256i token = _mm256_or_si256(_mm256_or_si256(digit, upper), _mm256_or_si256(lower, end));
    token = _mm256_or_si256(token, _mm256_or_si256(signs, equal(x, '\\')));
    __m256i prose = _mm256_or_si256(within(x, 0x20, 0x7e - 0x20), _mm256_or_si256(end, equal(x, '\t')));
    k->zero |= bits_of(equal(x, 0)) << shift;
    k->small |= bits_of(within(x, 0, 15)) << shift;
    k->prose |= bits_of(prose) << shift;
    k->token |= bits_of(token) << shift;
    k->digit |= bits_of(digit) << shift;
    k->upper |= bits_of(upper) << shift;
    k->lower |= bits_of(lower) << shift;
}

AVX2_INLINE void kinds_avx2(const uint8_t *p, kinds *k) {
    memset(k, 0, sizeof *k);
    kinds_half(_mm256_loadu_si256((const __m256i *)p), k, 0);
    kinds_half(_mm256_loadu_si256((const __m256i *)(p + 32)), k, 32);
}

AVX2_INLINE int is_zero_avx2(const uint8_t *p) {
    __m256i any = _mm256_or_si256(_mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)(p + 32)));
    return _mm256_testz_si256(any, any);
}

AVX2 NEXT_PASSING(next_avx2, is_zero_avx2, kinds_avx2, filter_plain)

/* --- AVX-512 with VBMI: kinds by a table in registers, eight windows at a time through the filter ---------------------------- */

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt")))
#define AVX512_INLINE AVX512 static inline __attribute__((always_inline))

AVX512_INLINE void kinds_avx512(const uint8_t *p, kinds *k) {
    __m512i x = _mm512_loadu_si512(p);
    __m512i kind = _mm512_permutex2var_epi8(_mm512_loadu_si512(table), x, _mm512_loadu_si512(table + 64));
    uint64_t ascii = ~_mm512_movepi8_mask(x);
    k->zero = _mm512_testn_epi8_mask(x, x);
    k->small = _mm512_mask_test_epi8_mask(ascii, kind, _mm512_set1_epi8(SMALL));
    k->prose = _mm512_mask_test_epi8_mask(ascii, kind, _mm512_set1_epi8(PROSE));
    k->token = _mm512_mask_test_epi8_mask(ascii, kind, _mm512_set1_epi8(TOKEN));
    k->digit = _mm512_mask_test_epi8_mask(ascii, kind, _mm512_set1_epi8(DIGIT));
    k->upper = _mm512_mask_test_epi8_mask(ascii, kind, _mm512_set1_epi8(UPPER));
    k->lower = _mm512_mask_test_epi8_mask(ascii, kind, _mm512_set1_epi8(LOWER));
}

AVX512_INLINE int is_zero_avx512(const uint8_t *p) {
    __m512i x = _mm512_loadu_si512(p);
    return _mm512_test_epi8_mask(x, x) == 0;
}

AVX512_INLINE uint64_t filter_avx512(const prober *s, const uint8_t *p, uint64_t worth) {
    const __m512i spread = _mm512_set1_epi64((long long)SPREAD), one = _mm512_set1_epi64(1);
    const __m512i count = _mm512_set_epi64(0x3f3e3d3c3b3a3938, 0x3736353433323130, 0x2f2e2d2c2b2a2928, 0x2726252423222120, 0x1f1e1d1c1b1a1918,
                                           0x1716151413121110, 0x0f0e0d0c0b0a0908, 0x0706050403020100);
    const __m512i within_window = _mm512_set1_epi64(0x0706050403020100);
    __m512i repeat = _mm512_set_epi64(0x0707070707070707, 0x0606060606060606, 0x0505050505050505, 0x0404040404040404, 0x0303030303030303,
                                      0x0202020202020202, 0x0101010101010101, 0);
    const __m128i shift = _mm_cvtsi32_si128((int)s->filter_shift);
    __m512i bytes = _mm512_loadu_si512(p), begins = _mm512_maskz_compress_epi8(worth, count);
    uint64_t passing = 0;
    for (int done = 0, all = __builtin_popcountll(worth); done < all; done += 8) {
        __m512i index = _mm512_add_epi8(_mm512_permutexvar_epi8(repeat, begins), within_window);
        __m512i hash = _mm512_mullo_epi64(_mm512_permutexvar_epi8(index, bytes), spread);
        __m512i mark = _mm512_or_si512(_mm512_rolv_epi64(one, _mm512_srli_epi64(hash, 36)),
                                       _mm512_rolv_epi64(one, _mm512_srli_epi64(hash, 30)));
        __m512i word = _mm512_i64gather_epi64(_mm512_srl_epi64(hash, shift), s->filter, 8);
        passing |= (uint64_t)_mm512_cmpeq_epi64_mask(_mm512_and_si512(word, mark), mark) << done;
        repeat = _mm512_add_epi8(repeat, _mm512_set1_epi8(8));
    }
    return _pdep_u64(passing, worth); /* lanes beyond the last window fall away here */
}

AVX512 NEXT_PASSING(next_avx512, is_zero_avx512, kinds_avx512, filter_avx512)
#endif

typedef size_t next_function(const prober *, const uint8_t *, size_t, size_t, uint64_t *);

static next_function *best(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    int wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
    wide = wide && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2");
    if (wide && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt")) return next_avx512;
    if (__builtin_cpu_supports("avx2")) return next_avx2;
#endif
    return next_plain;
}

static next_function *chosen = next_plain;

__attribute__((constructor)) static void prepare(void) {
    for (int byte = 0; byte < 256; byte++) table[byte] = kind_of(byte);
    chosen = best();
}

size_t next_passing(const prober *s, const uint8_t *buf, size_t at, size_t last, uint64_t *passing) {
    return chosen(s, buf, at, last, passing);
}
