/* AES key schedules (FIPS 197): words of memory that follow from each other as the words of one do.
 *
 * Most words of a schedule are the exclusive or of two others, whatever was done to it: InvMixColumns and the order of bytes
 * leave that as it is. So the filter needs neither tables nor the layout, runs in vectors, and leaves next to nothing. What it
 * leaves is rebuilt from each row of words from which a whole schedule follows, and compared. */
#include "common.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ENCRYPTION, DECRYPTION, INVERSE, ROTATED, ORDERS };
/* So many flipped bits always pass the filter: each is in two of its words at most. Of more, hardly ever are all in these. */
enum { SURELY = 6 };
enum { SIZES = 3, ROTATED_BEFORE = 32, MOST_WORDS = 60, BLOCK = 256, AHEAD = 32, ROUND_WORDS = 4 };
/* Shapes: (size of key, round keys in order or backwards). */
enum { SHAPES = 2 * SIZES };

/* The filter of each shape: word + first ^ word + second ^ word + third is zero, and so it is one word on, and two.
 * Of 192 bits backwards there are two such in a row. Chosen such that no word of round key 0 or R takes part. */
static const struct { uint8_t first, second, third, rows; } filters[SHAPES] = {
    {9, 8, 5, 3}, {1, 0, 5, 3}, {13, 12, 7, 3}, {2, 1, 4, 2}, {13, 12, 5, 3}, {1, 0, 9, 3},
};

static uint8_t sbox[256];

static uint8_t gf_double(uint8_t x) { return (uint8_t)(x << 1 ^ (x >> 7) * 0x1b); }

__attribute__((constructor)) static void fill_sbox(void) {
    /* p runs through all powers of x + 1, q through their inverses */
    uint8_t p = 1, q = 1;
    do {
        p = (uint8_t)(p ^ gf_double(p));
        q ^= (uint8_t)(q << 1);
        q ^= (uint8_t)(q << 2);
        q ^= (uint8_t)(q << 4);
        if (q & 0x80) q ^= 0x09;
        uint8_t turned = q;
        for (int shift = 1; shift < 5; shift++) turned ^= (uint8_t)(q << shift | q >> (8 - shift));
        sbox[p] = turned ^ 0x63;
    } while (p != 1);
    sbox[0] = 0x63;
}

/* ---- words: the first of four bytes is the lowest ---- */

INLINE uint32_t turned(uint32_t w, int by) { return w >> by | w << (32 - by); }

static uint32_t substituted(uint32_t w) {
    return (uint32_t)sbox[w & 255] | (uint32_t)sbox[w >> 8 & 255] << 8 | (uint32_t)sbox[w >> 16 & 255] << 16
         | (uint32_t)sbox[w >> 24] << 24;
}

static uint32_t doubled(uint32_t w) {
    return (w & 0x7f7f7f7f) << 1 ^ (w >> 7 & 0x01010101) * 0x1b;
}

static uint32_t mixed(uint32_t w) {
    uint32_t twice = doubled(w);
    return twice ^ turned(twice ^ w, 8) ^ turned(w, 16) ^ turned(w, 24);
}

static uint32_t unmixed(uint32_t w) { return mixed(w ^ doubled(doubled(w ^ turned(w, 16)))); }

/* A pattern: see aes.py. */
typedef struct {
    int nk, rounds, order, swapped, words;
} layout;

static layout layout_of(int size, int order, int swapped) {
    int nk = 4 + 2 * size, rounds = nk + 6;
    return (layout){nk, rounds, order, swapped, ROUND_WORDS * (rounds + (order != DECRYPTION))};
}

INLINE int is_mixed(const layout *l, int index) {
    return l->order != ENCRYPTION && index >= ROUND_WORDS && index < ROUND_WORDS * l->rounds;
}

/* Where in memory word `index` of the schedule is. */
INLINE int place_of(const layout *l, int index) {
    int before = l->order == ROTATED ? 2 : 0; /* round keys before R - 1 */
    if (l->order == ENCRYPTION || l->order == INVERSE || (before && index < ROUND_WORDS)) return index;
    return ROUND_WORDS * (before + l->rounds - 1 - index / ROUND_WORDS) + index % ROUND_WORDS;
}

static uint32_t step(int nk, int index, uint32_t before) {
    if (index % nk == 0) {
        uint8_t constant = 1;
        for (int i = nk; i < index; i += nk) constant = gf_double(constant);
        return substituted(turned(before, 8)) ^ constant;
    }
    return nk == 8 && index % nk == 4 ? substituted(before) : before;
}

/* Bits in which the pattern at `p` differs from the nearest schedule that a row of its own words makes; at most most + 1. */
static int nearest(const layout *l, const uint8_t *p, int most) {
    uint32_t memory[MOST_WORDS], seen[MOST_WORDS], made[MOST_WORDS];
    int best = most + 1;
    for (int i = 0; i < l->words; i++) {
        uint32_t word = load32(p + 4 * place_of(l, i));
        memory[i] = l->swapped ? __builtin_bswap32(word) : word;
        seen[i] = is_mixed(l, i) ? mixed(memory[i]) : memory[i];
    }
    for (int start = 0; start + l->nk <= l->words && best; start++) {
        int flipped = 0;
        memcpy(made + start, seen + start, 4 * (size_t)l->nk);
        /* made word by word, and left as soon as it differs too much */
        for (int i = start; i < l->words && flipped < best; i++) {
            if (i >= start + l->nk) made[i] = made[i - l->nk] ^ step(l->nk, i, made[i - 1]);
            flipped += __builtin_popcount(memory[i] ^ (is_mixed(l, i) ? unmixed(made[i]) : made[i]));
        }
        for (int i = start - 1; i >= 0 && flipped < best; i--) {
            made[i] = made[i + l->nk] ^ step(l->nk, i + l->nk, made[i + l->nk - 1]);
            flipped += __builtin_popcount(memory[i] ^ (is_mixed(l, i) ? unmixed(made[i]) : made[i]));
        }
        if (flipped < best) best = flipped;
    }
    wipe(memory, sizeof memory);
    wipe(seen, sizeof seen);
    wipe(made, sizeof made);
    return best;
}

/* Whether the words that are exclusive ors of two others are so, but for what `most` flipped bits (three words each) explain.
 * Of round keys 0 and R no word takes part: so it is the same for every order of a shape. */
static int is_linear(const layout *l, const uint8_t *p, int most) {
    int off = 0;
    for (int i = ROUND_WORDS + l->nk; i < ROUND_WORDS * l->rounds; i++) {
        if (i % l->nk == 0 || (l->nk == 8 && i % l->nk == 4)) continue;
        off += __builtin_popcount(load32(p + 4 * place_of(l, i)) ^ load32(p + 4 * place_of(l, i - 1))
                                  ^ load32(p + 4 * place_of(l, i - l->nk)));
        if (off > 3 * most) return 0;
    }
    return 1;
}

/* Whether the bits of the whole are as many ones as zeros, more or less: nearly empty memory agrees with itself, too. */
static int is_balanced(const layout *l, const uint8_t *p) {
    int ones = 0, bits = 32 * l->words;
    for (int i = 0; i < l->words; i++) ones += __builtin_popcount(load32(p + 4 * i));
    return 10 * ones >= 3 * bits && 10 * ones <= 7 * bits;
}

/* ---- the filter ---- */

/* Of BLOCK places, 4 bytes apart: which pass the filter of each shape. Reads 4 * (BLOCK + AHEAD) bytes. */
typedef uint64_t passing[SHAPES][BLOCK / 64];
typedef void filter(const uint8_t *p, uint32_t limit, passing places);

static uint32_t ones_plain(uint32_t x) {
    x -= x >> 1 & 0x55555555;
    x = (x & 0x33333333) + (x >> 2 & 0x33333333);
    return ((x + (x >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

static void filter_plain(const uint8_t *p, uint32_t limit, passing places) {
    memset(places, 0, sizeof(passing));
    for (int s = 0; s < SHAPES; s++) {
        uint32_t ones[BLOCK + 2];
        for (int i = 0; i < BLOCK + 2; i++) {
            const uint8_t *at = p + 4 * i;
            ones[i] = ones_plain(load32(at + 4 * filters[s].first) ^ load32(at + 4 * filters[s].second)
                                 ^ load32(at + 4 * filters[s].third));
        }
        for (int i = 0; i < BLOCK; i++) {
            uint32_t off = ones[i] + ones[i + 1] + (filters[s].rows == 3 ? ones[i + 2] : 0);
            places[s][i / 64] |= (uint64_t)(off <= limit) << (i % 64);
        }
    }
}

/* The same in vectors of LANES words. */
#define FILTER(LANES, vector, load, add, xor3, ones_of, mask_of)                                                       \
    for (int s = 0; s < SHAPES; s++) {                                                                                 \
        const uint8_t *first = p + 4 * filters[s].first, *second = p + 4 * filters[s].second;                          \
        const uint8_t *third = p + 4 * filters[s].third;                                                               \
        uint32_t ones[BLOCK + LANES] __attribute__((aligned(64)));                                                     \
        memset(places[s], 0, sizeof places[s]);                                                                        \
        for (int i = 0; i < BLOCK + LANES; i += LANES) {                                                               \
            vector off = xor3(load(first + 4 * i), load(second + 4 * i), load(third + 4 * i));                         \
            *(vector *)(void *)(ones + i) = ones_of(off);                                                              \
        }                                                                                                              \
        for (int i = 0; i < BLOCK; i += LANES) {                                                                       \
            vector sum = add(load(ones + i), load(ones + i + 1));                                                      \
            if (filters[s].rows == 3) sum = add(sum, load(ones + i + 2));                                              \
            places[s][i / 64] |= (uint64_t)mask_of(sum) << (i % 64);                                                   \
        }                                                                                                              \
    }

#if defined(__x86_64__)
#define LOAD_256(at) _mm256_loadu_si256((const __m256i *)(const void *)(at))
#define XOR_256(a, b, c) _mm256_xor_si256(_mm256_xor_si256(a, b), c)
#define UPTO_256(sum) (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(least, sum)))

__attribute__((target("avx2"))) INLINE __m256i ones_256(__m256i x) {
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3,
                                           2, 3, 3, 4);
    __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(x, nibble));
    __m256i high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble));
    __m256i pairs = _mm256_maddubs_epi16(_mm256_add_epi8(low, high), _mm256_set1_epi8(1));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

__attribute__((target("avx2"))) static void filter_avx2(const uint8_t *p, uint32_t limit, passing places) {
    const __m256i least = _mm256_set1_epi32((int)limit + 1);
    FILTER(8, __m256i, LOAD_256, _mm256_add_epi32, XOR_256, ones_256, UPTO_256)
}

#define LOAD_512(at) _mm512_loadu_si512((const void *)(at))
#define XOR_512(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x96)
#define UPTO_512(sum) _mm512_cmple_epu32_mask(sum, most)

__attribute__((target("avx512f,avx512vpopcntdq"))) static void
filter_avx512(const uint8_t *p, uint32_t limit, passing places) {
    const __m512i most = _mm512_set1_epi32((int)limit);
    FILTER(16, __m512i, LOAD_512, _mm512_add_epi32, XOR_512, _mm512_popcnt_epi32, UPTO_512)
}
#endif

static filter *chosen;

static filter *filter_of(int kind) {
    if (kind == 1) return filter_plain;
#if defined(__x86_64__)
    if (kind == 2 && __builtin_cpu_supports("avx2")) return filter_avx2;
    if (kind == 3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vpopcntdq")) return filter_avx512;
#endif
    return NULL;
}

int aes_use(int kind) {
    filter *one = filter_of(kind);
    for (int best = 3; kind == 0 && !one; best--) one = filter_of(best);
    if (one) chosen = one;
    return one != NULL;
}

__attribute__((constructor)) static void choose(void) { aes_use(0); }

/* ---- the search ---- */

typedef struct {
    const uint8_t *buf;
    int64_t nbytes;
    unsigned most;
    int64_t *out;
    size_t cap, written;
    uint64_t *tried;
} search;

/* Every layout of a shape that has its words at one place. False if there is no room for what was found. */
static int try_shape(search *s, int64_t place, int shape) {
    layout first = layout_of(shape / 2, shape & 1 ? DECRYPTION : ENCRYPTION, 0);
    /* the words that is_linear reads end with round R - 1, or begin with it */
    if (place + 4 * ROUND_WORDS * (first.rounds - (shape & 1)) > s->nbytes) return 1;
    if (!is_linear(&first, s->buf + place, (int)s->most)) return 1;
    for (int order = 0; order < ORDERS; order++) {
        if ((order == DECRYPTION || order == ROTATED) != (shape & 1)) continue;
        layout l = layout_of(shape / 2, order, 0);
        int64_t at = place - (order == ROTATED ? ROTATED_BEFORE : 0);
        if (at < 0 || at + 4 * l.words > s->nbytes || !is_balanced(&l, s->buf + at)) continue;
        for (l.swapped = 0; l.swapped < 2; l.swapped++) {
            ++*s->tried;
            int flipped = nearest(&l, s->buf + at, (int)s->most);
            if (flipped > (int)s->most) continue;
            if (s->written == s->cap) return 0;
            int64_t *entry = s->out + 3 * s->written++;
            entry[0] = at;
            entry[1] = (shape / 2 * ORDERS + order) * 2 + l.swapped;
            entry[2] = flipped;
        }
    }
    return 1;
}

/* BLOCK places, 4 bytes apart, from `at` on, but not as far as `stop`. False if there is no room for what was found. */
static int search_block(search *s, int64_t at, int64_t stop) {
    passing places;
    uint8_t edge[4 * (BLOCK + AHEAD)];
    const uint8_t *p = s->buf + at;
    if (s->nbytes - at < (int64_t)sizeof edge) { /* nothing is read behind the buffer */
        memset(edge, 0, sizeof edge);
        memcpy(edge, p, (size_t)(s->nbytes - at));
        p = edge;
    }
    chosen(p, 2 * (s->most < SURELY ? s->most : SURELY), places);
    for (int word = 0; word < BLOCK / 64; word++) {
        uint64_t any = 0;
        for (int shape = 0; shape < SHAPES; shape++) any |= places[shape][word];
        for (; any; any &= any - 1) {
            int bit = __builtin_ctzll(any);
            int64_t here = at + 4 * (64 * word + bit);
            if (here >= stop) break;
            for (int shape = 0; shape < SHAPES; shape++) {
                if (places[shape][word] >> bit & 1 && !try_shape(s, here, shape)) return 0;
            }
        }
    }
    return 1;
}

size_t aes_find(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, size_t step, unsigned most,
                uint64_t limit, int64_t *out, size_t cap, int64_t *position, uint64_t *tried) {
    search s = {buf, (int64_t)nbytes, most, out, cap, 0, tried};
    for (int64_t run = position[0]; run < (int64_t)nruns; run++) {
        int64_t start = runs[2 * run], stop = runs[2 * run + 1];
        /* the first words of a schedule are the key, which may be dull */
        start = start < 32 ? 0 : start - 32;
        if (run && start < runs[2 * run - 1]) start = runs[2 * run - 1] / 4 * 4;
        int64_t at = run == position[0] && position[1] > start ? position[1] : start;
        for (; at < stop; at += 4 * BLOCK) {
            size_t before = s.written;
            int has_room = 1;
            for (int64_t phase = 0; phase < 4 && at + phase < stop && has_room; phase += (int64_t)step) {
                has_room = search_block(&s, at + phase, stop);
            }
            if (has_room && *tried < limit) continue;
            /* the phases of a block go together: all of it is done again, or nothing of it */
            s.written = has_room ? s.written : before;
            position[0] = run;
            position[1] = has_room ? at + 4 * BLOCK : at;
            return s.written;
        }
    }
    position[0] = (int64_t)nruns;
    position[1] = 0;
    return s.written;
}
