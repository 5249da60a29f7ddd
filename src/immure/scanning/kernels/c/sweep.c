/* Every place of known byte strings, whole or in part.
 *
 * A copy of 15 bytes or more contains one whole aligned word. So the eight-byte windows of all strings, at every byte offset, go into a hash
 * table, and the image is probed once per aligned word that is not dull: through a filter first, which nearly all words fail. The filter is
 * Bloom's with all bits of a word in one place (Putze, Sanders, Singler 2007). */
#include "common.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { DULL_BITS = 48, MAX_SAME = 64, STRIDE = 64 };

typedef struct {
    uint64_t word;
    uint32_t needle, at; /* needle + 1, so that zero means empty */
} entry;

struct sweep {
    size_t count, total, slots; /* slots: a power of two */
    unsigned filter_shift;
    uint64_t *filter;
    size_t filter_words;
    entry *table;
    uint32_t *start; /* count + 1 offsets into bytes */
    uint8_t *sparse; /* by needle: only windows at the first eight of every STRIDE offsets are in the table */
    uint8_t *bytes;
};

static inline uint64_t hash(uint64_t word) { return word * 0x9e3779b97f4a7c15ull; }

static inline uint64_t mix(uint64_t word) {
    word = hash(word);
    return word ^ word >> 29;
}

/* Three bits of one word of the filter: its place comes from the top bits of the hash, the three from bits below those. */
static inline uint64_t filter_bits(uint64_t h) { return 1ull << (h >> 24 & 63) | 1ull << (h >> 30 & 63) | 1ull << (h >> 36 & 63); }

static inline int may_be_in_table(const sweep *s, uint64_t word) {
    uint64_t h = hash(word), bits = filter_bits(h);
    return (s->filter[h >> s->filter_shift] & bits) == bits;
}

/* Whether the window at `at` of a needle is in the table. */
static inline int is_in_table(const sweep *s, uint32_t needle, int64_t at, uint64_t word) {
    return !is_dull(word, DULL_BITS) && (!s->sparse[needle] || at % STRIDE < 8);
}

static void insert(sweep *s, uint64_t word, uint32_t needle, uint32_t at) {
    uint64_t h = hash(word);
    s->filter[h >> s->filter_shift] |= filter_bits(h);
    size_t slot = mix(word) & (s->slots - 1);
    for (int same = 0; s->table[slot].needle; slot = (slot + 1) & (s->slots - 1)) {
        if (s->table[slot].word == word && ++same >= MAX_SAME) return;
    }
    s->table[slot] = (entry){word, needle + 1, at};
}

void sweep_free(sweep *s) {
    if (!s) return;
    if (s->filter) wipe(s->filter, s->filter_words * 8), free(s->filter);
    if (s->table) wipe(s->table, s->slots * sizeof(entry)), free(s->table);
    if (s->bytes) wipe(s->bytes, s->total), free(s->bytes);
    free(s->start);
    free(s->sparse);
    free(s);
}

static int allocate(sweep *s, size_t windows) {
    unsigned bits = 8; /* of the filter's length in words: 10 bits or more for each window */
    for (s->slots = 64; s->slots < 2 * windows;) s->slots *= 2;
    while (bits < 20 && (6ull << bits) < windows) bits++;
    s->filter_shift = 64 - bits;
    s->filter_words = 1ull << bits;
    s->filter = calloc(s->filter_words, 8);
    s->table = calloc(s->slots, sizeof(entry));
    s->start = calloc(s->count + 1, sizeof(uint32_t));
    s->bytes = malloc(s->total + 1);
    s->sparse = malloc(s->count + 1);
    return s->filter && s->table && s->start && s->bytes && s->sparse;
}

sweep *sweep_new(const uint8_t *needles, const uint32_t *lengths, const uint8_t *sparse, size_t count) {
    sweep *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    size_t windows = 0;
    s->count = count;
    for (size_t i = 0; i < count; i++) {
        if (lengths[i] < 16 || lengths[i] > 1u << 20) goto fail;
        s->total += lengths[i];
        windows += sparse[i] ? lengths[i] / STRIDE * 8 + 8 : lengths[i];
    }
    if (s->total > 1u << 30 || !allocate(s, windows)) goto fail;
    memcpy(s->bytes, needles, s->total);
    memcpy(s->sparse, sparse, count);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *p = s->bytes + s->start[i];
        s->start[i + 1] = s->start[i] + lengths[i];
        for (uint32_t at = 0; at + 8 <= lengths[i]; at++) {
            uint64_t word = load64(p + at);
            if (is_in_table(s, (uint32_t)i, at, word)) insert(s, word, (uint32_t)i, at);
        }
    }
    return s;
fail:
    sweep_free(s);
    return NULL;
}

typedef struct {
    const uint8_t *buf;
    int64_t nbytes;
    int64_t min_bytes;
    int64_t *out;
    size_t count, cap;
} search;

/* Extends an agreement of one aligned word at `at` both ways and writes it, unless an earlier aligned word of the same agreement did so already. 0: no room. */
static int extend(search *f, const sweep *s, const entry *e, int64_t at) {
    uint32_t needle = e->needle - 1;
    const uint8_t *p = s->bytes + s->start[needle];
    int64_t length = s->start[needle + 1] - s->start[needle], left = 0, right = 8;
    while (left < at && left < e->at && f->buf[at - left - 1] == p[e->at - left - 1]) {
        left++;
        if (left % 8 == 0 && is_in_table(s, needle, e->at - left, load64(f->buf + at - left))) return 1;
    }
    while (at + right < f->nbytes && e->at + right < length && f->buf[at + right] == p[e->at + right]) right++;
    if (left + right < f->min_bytes) return 1;
    if (f->count == f->cap) return 0;
    int64_t *out = f->out + 4 * f->count++;
    out[0] = needle;
    out[1] = at - left;
    out[2] = e->at - left;
    out[3] = left + right;
    return 1;
}

/* All agreements at one aligned word; 0 if there is no room for all of them (then none is kept). */
static int look_up(search *f, const sweep *s, uint64_t word, int64_t at) {
    size_t before = f->count;
    for (size_t slot = mix(word) & (s->slots - 1); s->table[slot].needle; slot = (slot + 1) & (s->slots - 1)) {
        if (s->table[slot].word == word && !extend(f, s, &s->table[slot], at)) {
            f->count = before;
            return 0;
        }
    }
    return 1;
}

/* Of 64 words (those whose bit is set), which pass the filter. */
typedef uint64_t passing_words(const sweep *s, const uint8_t *p, uint64_t bits);

static uint64_t passing_plain(const sweep *s, const uint8_t *p, uint64_t bits) {
    uint64_t passing = 0;
    for (; bits; bits &= bits - 1) {
        int i = __builtin_ctzll(bits);
        passing |= (uint64_t)may_be_in_table(s, load64(p + 8 * i)) << i;
    }
    return passing;
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512dq,bmi2,popcnt")))
static uint64_t passing_avx512(const sweep *s, const uint8_t *p, uint64_t bits) {
    const __m512i factor = _mm512_set1_epi64((long long)0x9e3779b97f4a7c15ull), one = _mm512_set1_epi64(1);
    const __m128i shift = _mm_cvtsi32_si128((int)s->filter_shift);
    uint64_t dense[72], passing = 0; /* the words first move together, for gathering is what costs */
    int count = 0;
    for (int i = 0; i < 8; i++) {
        __mmask8 here = (__mmask8)(bits >> (8 * i));
        _mm512_storeu_si512(dense + count, _mm512_maskz_compress_epi64(here, _mm512_loadu_si512(p + 64 * i)));
        count += __builtin_popcount(here);
    }
    for (int i = 0; i < count; i += 8) {
        __m512i h = _mm512_mullo_epi64(_mm512_loadu_si512(dense + i), factor);
        __m512i want = _mm512_or_si512(_mm512_rolv_epi64(one, _mm512_srli_epi64(h, 24)),
                                       _mm512_rolv_epi64(one, _mm512_srli_epi64(h, 30)));
        want = _mm512_or_si512(want, _mm512_rolv_epi64(one, _mm512_srli_epi64(h, 36)));
        __m512i have = _mm512_i64gather_epi64(_mm512_srl_epi64(h, shift), s->filter, 8);
        passing |= (uint64_t)_mm512_cmpeq_epi64_mask(_mm512_and_si512(have, want), want) << i;
    }
    return _pdep_u64(passing, bits); /* what stood behind the last word falls away here */
}
#endif

static passing_words *best_passing(void) {
#if defined(__x86_64__)
    int vectors = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
    if (vectors && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt")) return passing_avx512;
#endif
    return passing_plain;
}

size_t sweep_find(const sweep *s, const uint8_t *buf, size_t nbytes, const uint64_t *mask, size_t min_bytes, int64_t *out,
                  size_t cap, size_t *resume) {
    search f = {buf, (int64_t)nbytes, (int64_t)min_bytes, out, 0, cap};
    size_t nwords = nbytes / 8;
    passing_words *passing = best_passing();
    for (size_t block = *resume / 64; 64 * block < nwords; block++) {
        uint64_t bits = mask[block];
        if (block == *resume / 64) bits &= ~0ull << (*resume % 64);
        if (bits && 512 * (block + 1) <= nbytes) bits = passing(s, buf + 512 * block, bits);
        else if (bits) bits = passing_plain(s, buf + 512 * block, bits);
        for (; bits; bits &= bits - 1) {
            size_t i = 64 * block + (size_t)__builtin_ctzll(bits);
            if (!look_up(&f, s, load64(buf + 8 * i), (int64_t)(8 * i))) {
                *resume = i;
                return f.count;
            }
        }
    }
    *resume = nwords;
    return f.count;
}
