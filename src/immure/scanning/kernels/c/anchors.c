/* Many short literals at once. A window of four bytes is looked up nibble by nibble in eight buckets (the "Teddy" idea of
 * Hyperscan: one shuffle per nibble and position tells 32 offsets at a time which buckets are still possible); what is left is compared in full. */
#include "common.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { PREFIX = 4, BUCKETS = 8, MAX_NEEDLES = 256 };

struct anchors {
    uint8_t low[PREFIX][16], high[PREFIX][16]; /* bit b: a needle of bucket b has this nibble at this position */
    size_t count;
    size_t first[BUCKETS + 1]; /* bucket b holds the needles first[b] .. first[b + 1] - 1 of the arrays below, which are sorted */
    uint32_t prefix[MAX_NEEDLES], length[MAX_NEEDLES], name[MAX_NEEDLES];
    const uint8_t *needle[MAX_NEEDLES];
    uint8_t bytes[];
};

/* Sorts needles by their first bytes: those in a bucket are then alike, and few other bytes look like a mixture of them. */
static void sort_needles(anchors *set) {
    for (size_t i = 1; i < set->count; i++) {
        for (size_t j = i; j > 0 && memcmp(set->needle[j - 1], set->needle[j], PREFIX) > 0; j--) {
            const uint8_t *needle = set->needle[j];
            uint32_t length = set->length[j], name = set->name[j];
            set->needle[j] = set->needle[j - 1], set->length[j] = set->length[j - 1], set->name[j] = set->name[j - 1];
            set->needle[j - 1] = needle, set->length[j - 1] = length, set->name[j - 1] = name;
        }
    }
}

static void fill_buckets(anchors *set) {
    for (size_t b = 0; b <= BUCKETS; b++) set->first[b] = b * set->count / BUCKETS;
    for (size_t b = 0; b < BUCKETS; b++) {
        for (size_t i = set->first[b]; i < set->first[b + 1]; i++) {
            set->prefix[i] = load32(set->needle[i]);
            for (int j = 0; j < PREFIX; j++) {
                set->low[j][set->needle[i][j] & 15] |= (uint8_t)(1u << b);
                set->high[j][set->needle[i][j] >> 4] |= (uint8_t)(1u << b);
            }
        }
    }
}

anchors *anchors_new(const uint8_t *needles, const uint32_t *lengths, size_t count) {
    size_t total = 0;
    if (count > MAX_NEEDLES) return NULL;
    for (size_t i = 0; i < count; i++) {
        if (lengths[i] < PREFIX || lengths[i] > 4096) return NULL;
        total += lengths[i];
    }
    anchors *set = calloc(1, sizeof *set + total);
    if (!set) return NULL;
    memcpy(set->bytes, needles, total);
    const uint8_t *at = set->bytes;
    for (size_t i = 0; i < count; i++) {
        set->needle[i] = at;
        set->length[i] = lengths[i];
        set->name[i] = (uint32_t)i;
        at += lengths[i];
    }
    set->count = count;
    sort_needles(set);
    fill_buckets(set);
    return set;
}

void anchors_free(anchors *set) { free(set); }

/* Buckets that may begin at p. */
static inline unsigned buckets_at(const anchors *set, const uint8_t *p) {
    unsigned b = 255;
    for (int j = 0; j < PREFIX; j++) b &= set->low[j][p[j] & 15] & set->high[j][p[j] >> 4];
    return b;
}

typedef struct {
    const anchors *set;
    const uint8_t *buf;
    int64_t nbytes;
    int64_t *out;
    size_t count, cap;
} search;

/* Compares the needles of the buckets with the bytes at `at`; 0 if the output has no room for all of them. */
static int confirm(search *s, int64_t at, unsigned buckets) {
    const anchors *set = s->set;
    uint32_t four = load32(s->buf + at);
    for (; buckets; buckets &= buckets - 1) {
        unsigned b = (unsigned)__builtin_ctz(buckets);
        for (size_t i = set->first[b]; i < set->first[b + 1]; i++) {
            if (four != set->prefix[i] || at + (int64_t)set->length[i] > s->nbytes) continue;
            if (memcmp(s->buf + at, set->needle[i], set->length[i]) != 0) continue;
            if (s->count == s->cap) return 0;
            s->out[2 * s->count] = at;
            s->out[2 * s->count + 1] = set->name[i];
            s->count++;
        }
    }
    return 1;
}

/* One offset after the other; the first offset that is not done. */
static int64_t find_plain(search *s, int64_t from, int64_t to) {
    for (; from < to; from++) {
        unsigned b = buckets_at(s->set, s->buf + from);
        size_t before = s->count;
        if (b && !confirm(s, from, b)) {
            s->count = before; /* all of an offset's needles or none, so that nothing is written twice on resuming */
            return from;
        }
    }
    return to;
}

#if defined(__x86_64__)
/* Follows up the offsets from + i for which bit i of `hits` is set; the offset that it had to stop at, or -1. */
static int64_t follow(search *s, int64_t from, uint64_t hits) {
    for (; hits; hits &= hits - 1) {
        int64_t at = from + __builtin_ctzll(hits);
        size_t before = s->count;
        if (!confirm(s, at, buckets_at(s->set, s->buf + at))) {
            s->count = before;
            return at;
        }
    }
    return -1;
}

__attribute__((target("avx2")))
static int64_t find_avx2(search *s, int64_t from, int64_t to) {
    const __m256i nibble = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
    __m256i low[PREFIX], high[PREFIX];
    for (int j = 0; j < PREFIX; j++) {
        low[j] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)s->set->low[j]));
        high[j] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)s->set->high[j]));
    }
    for (; from < to && from + 32 + PREFIX <= s->nbytes; from += 32) {
        __m256i left = _mm256_set1_epi8(-1);
        for (int j = 0; j < PREFIX; j++) {
            __m256i v = _mm256_loadu_si256((const __m256i *)(s->buf + from + j));
            __m256i l = _mm256_shuffle_epi8(low[j], _mm256_and_si256(v, nibble));
            __m256i h = _mm256_shuffle_epi8(high[j], _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble));
            left = _mm256_and_si256(left, _mm256_and_si256(l, h));
        }
        uint64_t hits = (uint32_t)~_mm256_movemask_epi8(_mm256_cmpeq_epi8(left, zero));
        if (to - from < 32) hits &= (1ull << (to - from)) - 1;
        int64_t stop = follow(s, from, hits);
        if (stop >= 0) return stop;
    }
    return from < to ? find_plain(s, from, to) : to;
}

__attribute__((target("avx512f,avx512bw")))
static int64_t find_avx512(search *s, int64_t from, int64_t to) {
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512i low[PREFIX], high[PREFIX];
    for (int j = 0; j < PREFIX; j++) {
        low[j] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)s->set->low[j]));
        high[j] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)s->set->high[j]));
    }
    for (; from < to && from + 64 + PREFIX <= s->nbytes; from += 64) {
        __m512i left = _mm512_set1_epi8(-1);
        for (int j = 0; j < PREFIX; j++) {
            __m512i v = _mm512_loadu_si512(s->buf + from + j);
            __m512i l = _mm512_shuffle_epi8(low[j], _mm512_and_si512(v, nibble));
            __m512i h = _mm512_shuffle_epi8(high[j], _mm512_and_si512(_mm512_srli_epi16(v, 4), nibble));
            left = _mm512_and_si512(left, _mm512_and_si512(l, h));
        }
        uint64_t hits = _mm512_test_epi8_mask(left, left);
        if (to - from < 64) hits &= (1ull << (to - from)) - 1;
        int64_t stop = hits ? follow(s, from, hits) : -1;
        if (stop >= 0) return stop;
    }
    return from < to ? find_plain(s, from, to) : to;
}
#endif

typedef int64_t find_function(search *s, int64_t from, int64_t to);

static find_function *best_find(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bw")) return find_avx512;
    if (__builtin_cpu_supports("avx2")) return find_avx2;
#endif
    return find_plain;
}

size_t anchors_find(const anchors *set, const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns,
                    size_t pad, int64_t *out, size_t cap, int64_t *position) {
    search s = {set, buf, (int64_t)nbytes, out, 0, cap};
    find_function *find = best_find();
    int64_t done = *position, limit = (int64_t)nbytes - PREFIX + 1;
    for (size_t r = 0; r < nruns; r++) {
        int64_t from = runs[2 * r] - (int64_t)pad, to = runs[2 * r + 1] + (int64_t)pad;
        if (from < done) from = done;
        if (to > limit) to = limit;
        if (to <= from) continue;
        done = find(&s, from, to);
        if (done < to) {
            *position = done;
            return s.count;
        }
    }
    *position = (int64_t)nbytes;
    return s.count;
}
