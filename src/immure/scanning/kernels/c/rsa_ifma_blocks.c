/* The ends and sums of rsa_blocks.h for steps of eight bytes, written for AVX-512: the compiler's own code for them takes twice as long. */
#include "rsa_ifma.h"

#if defined(__x86_64__)

/* Memory is asked for so many bytes before it is looked at. */
enum { AHEAD = 2048 };

/* Eight bytes of a number, whose most significant stands where read_top() of the layout expects it. */
IFMA_INLINE vector load_tops(const uint8_t *p, unsigned layout) {
    vector x = _mm512_loadu_si512(p);
    if (layout == BE) {
        return _mm512_shuffle_epi8(x, _mm512_set4_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607));
    }
    if (layout == BE32W) return _mm512_ror_epi64(x, 32);
    return layout == NEGATED ? _mm512_xor_si512(x, set1(~0ull)) : x;
}

/* 64 windows at steps of eight bytes. */
IFMA_INLINE uint64_t ends_of_64_words(const prime_test *t, const uint8_t *p, unsigned layout) {
    const uint8_t *top = layout == BE || layout == BE32W || layout == BE64W ? p : p + t->width - 8;
    size_t lowest = lowest_byte(layout, t->width), behind = lowest + 8 > t->width ? lowest + 8 - t->width : 0;
    const uint8_t *low = p + lowest - behind;
    vector least = set1(t->top.least), span = set1(t->top.span), odd = set1(1ull << 8 * behind);
    uint64_t bits = 0;
    UNROLL for (int k = 0; k < 8; k++) {
        _mm_prefetch((const char *)low + 64 * k + AHEAD, _MM_HINT_T0);
        __mmask8 fits = _mm512_test_epi64_mask(_mm512_loadu_si512(low + 64 * k), odd);
        vector off = _mm512_sub_epi64(load_tops(top + 64 * k, layout), least);
        bits |= (uint64_t)_mm512_mask_cmple_epu64_mask(fits, off, span) << (8 * k);
    }
    return bits;
}

IFMA_INLINE uint64_t ends_of_64(const prime_test *t, const uint8_t *p) {
    switch (t->layout) {
    case LE64:
        return ends_of_64_words(t, p, LE64);
    case BE:
        return ends_of_64_words(t, p, BE);
    case BE32W:
        return ends_of_64_words(t, p, BE32W);
    case BE64W:
        return ends_of_64_words(t, p, BE64W);
    default:
        return ends_of_64_words(t, p, NEGATED);
    }
}

/* sum_units() for steps of eight bytes; there is room for eight sums more. */
IFMA_INLINE void sum_words(const uint8_t *p, size_t words, uint16_t *sum) {
    for (size_t i = 0; i < words; i += 8) {
        __mmask8 there = words - i < 8 ? (__mmask8)((1u << (words - i)) - 1) : 0xff;
        vector sums = _mm512_sad_epu8(_mm512_maskz_loadu_epi64(there, p + 8 * i), set1(0));
        _mm_storeu_si128((void *)(sum + i), _mm512_cvtepi64_epi16(sums));
    }
}

/* The windows whose sums 3, 5 and 17 do not divide, as in drop_multiples(). */
IFMA_INLINE uint64_t no_multiples(const uint16_t *total) {
    uint64_t bits = 0;
    UNROLL for (int k = 0; k < 2; k++) {
        vector v = _mm512_loadu_si512(total + 32 * k);
        __mmask32 left = _mm512_cmpgt_epu16_mask(_mm512_mullo_epi16(v, _mm512_set1_epi16((short)0xaaab)), _mm512_set1_epi16(0x5555));
        left = _mm512_mask_cmpgt_epu16_mask(left, _mm512_mullo_epi16(v, _mm512_set1_epi16((short)0xcccd)), _mm512_set1_epi16(0x3333));
        left = _mm512_mask_cmpgt_epu16_mask(left, _mm512_mullo_epi16(v, _mm512_set1_epi16((short)0xf0f1)), _mm512_set1_epi16(0x0f0f));
        bits |= (uint64_t)left << (32 * k);
    }
    return bits;
}

IFMA void rsa_ifma_fitting(const prime_test *t, const uint8_t *p, size_t n, block *b, uint64_t *bits) {
    size_t fit = 0, units = t->width / 8;
    if (t->step != 8 || t->layout == SMI28) {
        fitting(t, p, n, b, bits);
        return;
    }
    for (size_t i = 0; i < n / 64; i++) fit += (size_t)__builtin_popcountll(bits[i] = ends_of_64(t, p + 512 * i));
    if (fit < FEW * (n / 64) || !has_sums(t)) return;
    sum_words(p, n + units - 1, b->sum[0]);
    window_sums(b, n, units, 255 * 8);
    if (t->layout == NEGATED) negate_totals(b, n);
    for (size_t i = 0; i < n / 64; i++) bits[i] &= no_multiples(b->total + 64 * i);
}

#else

void rsa_ifma_fitting(const prime_test *t, const uint8_t *p, size_t n, block *b, uint64_t *bits) { fitting(t, p, n, b, bits); }

#endif
