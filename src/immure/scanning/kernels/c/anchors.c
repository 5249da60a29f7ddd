/* Many short literals at once. The first four bytes at an offset are looked up, each in the table of its position, which tells in which of eight
 * buckets a needle has that byte there (the "Teddy" idea of Hyperscan, with whole bytes: 64 offsets at a time with AVX-512; with
 * AVX2, 32 offsets at a time and by halves of bytes). What is left is compared in full. */
#include "common.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { PREFIX = 4, BUCKETS = 8, MAX_NEEDLES = 256 };

struct anchors {
    uint8_t byte[PREFIX][256];                 /* bit b: a needle of bucket b has this byte at this position */
    uint8_t seven[PREFIX][128];                /* the same by the lower seven bits of the byte */
    uint8_t low[PREFIX][16], high[PREFIX][16]; /* the same by halves of the byte */
    size_t count;
    size_t first[BUCKETS + 1]; /* bucket b holds the needles first[b] .. first[b + 1] - 1 of the arrays below */
    uint32_t prefix[MAX_NEEDLES], length[MAX_NEEDLES], name[MAX_NEEDLES];
    const uint8_t *needle[MAX_NEEDLES];
    uint8_t bytes[];
};

/* About how often a byte stands in the runs that are searched, which are text for the greater part. */
static double frequency(uint8_t c) {
    if (c == 0) return 0.08;
    if (c == ' ') return 0.06;
    if (c >= 'a' && c <= 'z') return strchr("jkqvwxyz", c) ? 0.01 : 0.04;
    if ((c >= '0' && c <= '9') || c == '"' || c == '-' || c == '_' || c == '.') return 0.02;
    return c >= 'A' && c <= 'Z' ? 0.008 : 0.002;
}

/* How many offsets of a bucket with these needles are compared in full, as a share of all. */
static double cost_of(const anchors *set, const uint8_t *bucket_of, uint8_t bucket, size_t also) {
    double product = 1;
    for (int j = 0; j < PREFIX; j++) {
        uint8_t seen[256] = {0};
        double sum = 0;
        for (size_t i = 0; i <= also; i++) {
            uint8_t c = set->needle[i][j];
            if ((i != also && bucket_of[i] != bucket) || seen[c]) continue;
            seen[c] = 1;
            sum += frequency(c);
        }
        product *= sum;
    }
    return product;
}

/* Chooses for one needle after the other the bucket in which it makes the fewest other bytes look like one, as far as that goes. */
static void choose_buckets(const anchors *set, uint8_t *bucket_of) {
    double cost[BUCKETS] = {0};
    for (size_t i = 0; i < set->count; i++) {
        size_t best = 0;
        double least = 2 * PREFIX;
        for (uint8_t b = 0; b < BUCKETS; b++) {
            double more = cost_of(set, bucket_of, b, i) - cost[b];
            if (more < least) least = more, best = b;
        }
        bucket_of[i] = (uint8_t)best;
        cost[best] += least;
    }
}

/* Puts the needles, which are in the order in which they were given, in the order of their buckets. */
static void sort_needles(anchors *set) {
    uint8_t bucket_of[MAX_NEEDLES];
    const uint8_t *needle[MAX_NEEDLES];
    uint32_t length[MAX_NEEDLES];
    size_t next = 0;
    choose_buckets(set, bucket_of);
    memcpy(needle, set->needle, sizeof needle);
    memcpy(length, set->length, sizeof length);
    for (size_t b = 0; b < BUCKETS; b++) {
        set->first[b] = next;
        for (size_t i = 0; i < set->count; i++) {
            if (bucket_of[i] != b) continue;
            set->needle[next] = needle[i], set->length[next] = length[i], set->name[next] = (uint32_t)i;
            next++;
        }
    }
    set->first[BUCKETS] = next;
}

static void fill_tables(anchors *set) {
    for (size_t b = 0; b < BUCKETS; b++) {
        for (size_t i = set->first[b]; i < set->first[b + 1]; i++) {
            set->prefix[i] = load32(set->needle[i]);
            for (int j = 0; j < PREFIX; j++) {
                uint8_t c = set->needle[i][j], bit = (uint8_t)(1u << b);
                set->byte[j][c] |= bit;
                set->seven[j][c & 127] |= bit;
                set->low[j][c & 15] |= bit;
                set->high[j][c >> 4] |= bit;
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
        at += lengths[i];
    }
    set->count = count;
    sort_needles(set);
    fill_tables(set);
    return set;
}

void anchors_free(anchors *set) { free(set); }

/* Buckets that may begin at p. */
static inline unsigned buckets_at(const anchors *set, const uint8_t *p) {
    return set->byte[0][p[0]] & set->byte[1][p[1]] & set->byte[2][p[2]] & set->byte[3][p[3]];
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
        unsigned buckets = buckets_at(s->set, s->buf + at);
        size_t before = s->count;
        if (buckets && !confirm(s, at, buckets)) {
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

__attribute__((target("avx512f,avx512bw,avx512vbmi")))
static int64_t find_avx512(search *s, int64_t from, int64_t to) {
    __m512i below[PREFIX], above[PREFIX]; /* the tables for bytes whose bit 6 is not set, and set */
    for (int j = 0; j < PREFIX; j++) {
        below[j] = _mm512_loadu_si512(s->set->seven[j]);
        above[j] = _mm512_loadu_si512(s->set->seven[j] + 64);
    }
    for (; from < to && from + 64 + PREFIX <= s->nbytes; from += 64) {
        const uint8_t *p = s->buf + from;
        __m512i left = _mm512_permutex2var_epi8(below[0], _mm512_loadu_si512(p), above[0]);
        for (int j = 1; j < PREFIX; j++) {
            left = _mm512_and_si512(left, _mm512_permutex2var_epi8(below[j], _mm512_loadu_si512(p + j), above[j]));
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
    if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw")) return find_avx512;
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
