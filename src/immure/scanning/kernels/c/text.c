/* Long runs of base64 and hex characters: keys written as text, in PEM bodies, JSON members, XML, environment variables. */
#include "common.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { BASE64 = 1, HEX = 2, WIDE = 2 /* added to a kind: UTF-16LE */, BLOCK = 64, MIN_CHARS = 42, LONGEST_CLAIMS = 8192 };

static inline int is_base64(uint8_t c) {
    uint8_t letter = (uint8_t)((c | 32) - 'a');
    return letter < 26 || (uint8_t)(c - '0') < 10 || c == '+' || c == '/' || c == '-' || c == '_';
}

static inline int is_hex(uint8_t c) {
    return (uint8_t)(c - '0') < 10 || (uint8_t)((c | 32) - 'a') < 6;
}

/* For 64 bytes: which are base64 characters, which are zero. */
typedef struct {
    uint64_t base64, zero;
} classes;

static inline classes classify_plain(const uint8_t *p) {
    classes c = {0, 0};
    for (int i = 0; i < BLOCK; i++) {
        c.base64 |= (uint64_t)is_base64(p[i]) << i;
        c.zero |= (uint64_t)(p[i] == 0) << i;
    }
    return c;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static inline uint32_t base64_avx2(__m256i v) {
    const __m256i zero = _mm256_setzero_si256();
    __m256i letter = _mm256_sub_epi8(_mm256_or_si256(v, _mm256_set1_epi8(32)), _mm256_set1_epi8('a'));
    __m256i digit = _mm256_sub_epi8(v, _mm256_set1_epi8('0'));
    __m256i ok = _mm256_cmpeq_epi8(_mm256_subs_epu8(letter, _mm256_set1_epi8(25)), zero);
    ok = _mm256_or_si256(ok, _mm256_cmpeq_epi8(_mm256_subs_epu8(digit, _mm256_set1_epi8(9)), zero));
    ok = _mm256_or_si256(ok, _mm256_cmpeq_epi8(v, _mm256_set1_epi8('+')));
    ok = _mm256_or_si256(ok, _mm256_cmpeq_epi8(v, _mm256_set1_epi8('/')));
    ok = _mm256_or_si256(ok, _mm256_cmpeq_epi8(v, _mm256_set1_epi8('-')));
    ok = _mm256_or_si256(ok, _mm256_cmpeq_epi8(v, _mm256_set1_epi8('_')));
    return (uint32_t)_mm256_movemask_epi8(ok);
}

__attribute__((target("avx2"))) static inline classes classify_avx2(const uint8_t *p) {
    __m256i a = _mm256_loadu_si256((const __m256i *)p), b = _mm256_loadu_si256((const __m256i *)(p + 32));
    const __m256i zero = _mm256_setzero_si256();
    uint64_t za = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, zero));
    uint64_t zb = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, zero));
    classes c = {base64_avx2(a) | (uint64_t)base64_avx2(b) << 32, za | zb << 32};
    return c;
}
#endif

#if defined(__x86_64__)
/* One look-up by the lower seven bits of every byte. */
__attribute__((target("avx512f,avx512bw,avx512vbmi"))) static inline classes classify_avx512(const uint8_t *p) {
    static const uint8_t table[128] __attribute__((aligned(64))) = {
        ['+'] = 1, ['-'] = 1, ['/'] = 1, ['_'] = 1, ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1};
    __m512i v = _mm512_loadu_si512(p);
    __m512i found = _mm512_permutex2var_epi8(_mm512_load_si512(table), v, _mm512_load_si512(table + 64));
    classes c = {_mm512_test_epi8_mask(found, found) & ~_mm512_movepi8_mask(v), _mm512_testn_epi8_mask(v, v)};
    return c;
}
#endif

/* First position in the first of two blocks from which on MIN_CHARS characters stand side by side, or half as many with a zero after each (then *wide
 * is set); -1 if there is none. */
static inline int first_run(classes here, classes next, int *wide) {
    /* of a run of 42 that begins in the first block, half lies in one of the two: a test on single words comes first */
    const uint64_t half = (1ull << MIN_CHARS / 2) - 1;
    uint64_t n = here.base64, z = here.base64 & (here.zero >> 1);
    n &= n >> 1;
    n &= n >> 2;
    n &= n >> 4;
    n &= n >> 8;
    n &= n >> 5;
    z &= z >> 2;
    z &= z >> 4;
    if (!n && (next.base64 & half) != half && !z) return -1;
    u128 m = (u128)next.base64 << 64 | here.base64, w = m & ((u128)next.zero << 63 | here.zero >> 1);
    *wide = 0;
    for (int have = 1; have < MIN_CHARS && (uint64_t)m;) {
        int by = have < MIN_CHARS - have ? have : MIN_CHARS - have;
        m &= m >> by;
        have += by;
    }
    if ((uint64_t)m) return __builtin_ctzll((uint64_t)m);
    *wide = 1;
    for (int have = 1; have < MIN_CHARS / 2 && (uint64_t)w;) {
        int by = have < MIN_CHARS / 2 - have ? have : MIN_CHARS / 2 - have;
        w &= w >> 2 * by;
        have += by;
    }
    return (uint64_t)w ? __builtin_ctzll((uint64_t)w) : -1;
}

typedef struct {
    const uint8_t *buf;
    int64_t nbytes;
    int64_t min_chars;
    int64_t floor; /* end of the last text: the next one does not reach back behind it */
    int64_t *out;
    size_t count, cap;
} search;

static int put(search *s, int64_t start, int64_t length, int64_t kind) {
    if (s->count == s->cap) return 0;
    s->out[3 * s->count] = start;
    s->out[3 * s->count + 1] = length;
    s->out[3 * s->count + 2] = kind;
    s->count++;
    return 1;
}

/* Random base64 of 40 characters has 30 different ones on average and both cases; identifiers and paths rarely have 18. */
static int may_be_secret(const uint8_t *p, int64_t chars, int width) {
    uint64_t seen[4] = {0, 0, 0, 0};
    int64_t look = chars < 64 ? chars : 64;
    for (int64_t i = 0; i < look; i++) seen[p[i * width] >> 6] |= 1ull << (p[i * width] & 63);
    int distinct = __builtin_popcountll(seen[0]) + __builtin_popcountll(seen[1]);
    int upper = (seen[1] & 0x07fffffeull) != 0, lower = (seen[1] & 0x07fffffe00000000ull) != 0;
    return distinct >= 18 && upper && lower;
}

static inline unsigned value_of(uint8_t c) {
    if (c >= 'a') return c - 'a' + 26u;
    if (c >= 'A' && c <= 'Z') return c - 'A' + 0u;
    if (c >= '0' && c <= '9') return c - '0' + 52u;
    return c == '+' || c == '-' ? 62 : 63;
}

/* Whether the first 32 characters decode to ASCII, as the JSON of a token's header and claims does: then it is text once more, and no key.
 * (24 random bytes are ASCII once in 2^24.) Bit 7 of the three bytes is bit 5 of the first, 3 of the second, 1 of the third character. */
static int decodes_to_ascii(const uint8_t *p, int width) {
    unsigned high = 0;
    for (int i = 0; i < 32; i += 4) {
        high |= value_of(p[i * width]) & 32;
        high |= value_of(p[(i + 1) * width]) & 8;
        high |= value_of(p[(i + 2) * width]) & 2;
    }
    return high == 0;
}

/* Whether the text at `start` is what stands behind the claims of a signed token: "eyJ" (that is {"), more base64 of ASCII, a dot. Then it is the
 * signature, which everybody may know, and of which large images have a hundred thousand. */
static int is_signature(const search *s, int64_t start) {
    int64_t end = start - 1, at;
    if (end < 32 || s->buf[end] != '.') return 0;
    while (end > 32 && s->buf[end - 1] == '=') end--;
    for (at = end; at > 0 && end - at < LONGEST_CLAIMS && is_base64(s->buf[at - 1]);) at--;
    return end - at >= 32 && memcmp(s->buf + at, "eyJ", 3) == 0 && decodes_to_ascii(s->buf + at, 1);
}

/* Writes what a maximal run of base64 characters holds: runs of hex digits, and the whole as base64 unless hex covers nearly all of it. */
static int emit(search *s, int64_t start, int64_t chars, int width) {
    const uint8_t *p = s->buf + start;
    int64_t wide = width == 2 ? WIDE : 0, hex_covers = 0;
    for (int64_t i = 0; i < chars;) {
        int64_t j = i;
        while (j < chars && is_hex(p[j * width])) j++;
        if (j - i >= s->min_chars) {
            if (!put(s, start + i * width, (j - i) * width, HEX + wide)) return 0;
            hex_covers += j - i;
        }
        i = j > i ? j : i + 1;
    }
    if (chars - hex_covers < 4 || !may_be_secret(p, chars, width) || decodes_to_ascii(p, width)) return 1;
    if (width == 1 && is_signature(s, start)) return 1;
    return put(s, start, chars * width, BASE64 + wide);
}

/* Extends a group that begins at `at` to the maximal run with characters `width` bytes apart, emits it, and returns its end; -1: no room. */
static int64_t extend(search *s, int64_t at, int width) {
    const uint8_t *b = s->buf;
    int64_t start = at, end = at;
    while (start - width >= s->floor && is_base64(b[start - width]) && (width == 1 || b[start - 1] == 0)) start -= width;
    while (end + width <= s->nbytes && is_base64(b[end]) && (width == 1 || b[end + 1] == 0)) end += width;
    if ((end - start) / width < s->min_chars) return end;
    size_t before = s->count;
    if (!emit(s, start, (end - start) / width, width)) {
        s->count = before;
        return -1;
    }
    return end;
}

/* The classes of the block at `at`; bytes behind the buffer are neither. */
#define CLASSES_AT(classify, s, at)                                                                                  \
    ((at) + BLOCK <= (s)->nbytes ? classify((s)->buf + (at)) : classify(last_block((s), (at), (uint8_t[BLOCK]){1})))

static const uint8_t *last_block(const search *s, int64_t at, uint8_t *copy) {
    int64_t left = at < s->nbytes ? s->nbytes - at : 0;
    memset(copy, 1, BLOCK);
    memcpy(copy, s->buf + s->nbytes - left, (size_t)left);
    return copy;
}

/* Scans [from, to), beyond which a text may reach; 0 if there is no room (then floor is where to go on). The body is compiled twice. */
#define SCAN(name, attributes, classify)                                                                             \
    attributes static int name(search *s, int64_t from, int64_t to) {                                                \
        int64_t at = from;                                                                                           \
        classes here = CLASSES_AT(classify, s, at);                                                                  \
        while (at < to) {                                                                                            \
            classes next = CLASSES_AT(classify, s, at + BLOCK);                                                      \
            int wide, first = first_run(here, next, &wide);                                                          \
            at += BLOCK;                                                                                             \
            here = next;                                                                                             \
            if (first < 0) continue;                                                                                 \
            int64_t end = extend(s, at - BLOCK + first, wide ? 2 : 1);                                               \
            if (end < 0) return 0;                                                                                   \
            s->floor = at = end;                                                                                     \
            here = CLASSES_AT(classify, s, at);                                                                      \
        }                                                                                                            \
        return 1;                                                                                                    \
    }

SCAN(scan_plain, , classify_plain)
#if defined(__x86_64__)
SCAN(scan_avx2, __attribute__((target("avx2"))), classify_avx2)
SCAN(scan_avx512, __attribute__((target("avx512f,avx512bw,avx512vbmi,bmi"))), classify_avx512)
#endif

typedef int scan_function(search *s, int64_t from, int64_t to);

static scan_function *best_scan(void) {
#if defined(__x86_64__)
    int vectors = __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw");
    if (vectors && __builtin_cpu_supports("bmi")) return scan_avx512;
    if (__builtin_cpu_supports("avx2")) return scan_avx2;
#endif
    return scan_plain;
}

/* In 42 characters there are four whole words, none of them dull: with a word at both ends, unless the buffer ends there, such a run has 48 bytes. */
static inline int may_hold_text(const int64_t *run, int64_t nbytes) {
    return run[1] - run[0] + 8 * (run[0] == 0) + 8 * (run[1] >= nbytes) >= 48;
}

size_t text_runs(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, size_t pad, size_t min_chars,
                 int64_t *out, size_t cap, int64_t *position) {
    search s = {buf, (int64_t)nbytes, (int64_t)min_chars, *position, out, 0, cap};
    int64_t done = *position;
    scan_function *scan = best_scan();
    for (size_t r = 0; r < nruns; r++) {
        int64_t from = runs[2 * r] - (int64_t)pad, to = runs[2 * r + 1] + (int64_t)pad;
        if (!may_hold_text(runs + 2 * r, s.nbytes)) continue;
        if (from < done) from = done;
        if (to > s.nbytes) to = s.nbytes;
        if (to <= from) continue;
        if (!scan(&s, from, to)) {
            *position = s.floor;
            return s.count;
        }
        /* not the end of the last block that was looked at: a text that begins in its last bytes may not have been seen */
        done = s.floor > to ? s.floor : to;
    }
    *position = (int64_t)nbytes;
    return s.count;
}

/* --- decoding ------------------------------------------------------------------------------------------------------------------- */

static int64_t decode_base64(const uint8_t *p, int64_t chars, int width, uint8_t *out) {
    int64_t n = 0;
    uint32_t bits = 0;
    for (int64_t i = 0; i < chars; i++) {
        bits = bits << 6 | value_of(p[i * width]);
        if (i % 4 == 3) {
            out[n++] = (uint8_t)(bits >> 16);
            out[n++] = (uint8_t)(bits >> 8);
            out[n++] = (uint8_t)bits;
        }
    }
    if (chars % 4 == 2) out[n++] = (uint8_t)(bits >> 4);
    if (chars % 4 == 3) out[n++] = (uint8_t)(bits >> 10), out[n++] = (uint8_t)(bits >> 2);
    return n;
}

static inline unsigned hex_value(uint8_t c) { return c <= '9' ? c - '0' + 0u : (c | 32) - 'a' + 10u; }

static int64_t decode_hex(const uint8_t *p, int64_t chars, int width, uint8_t *out) {
    for (int64_t i = 0; i + 1 < chars; i += 2) {
        out[i / 2] = (uint8_t)(hex_value(p[i * width]) << 4 | hex_value(p[(i + 1) * width]));
    }
    return chars / 2;
}

size_t text_decode(const uint8_t *buf, size_t nbytes, const int64_t *texts, size_t count, uint8_t *out, size_t out_bytes,
                   int64_t *places) {
    size_t written = 0;
    int64_t at = 0;
    for (size_t t = 0; t < count; t++) {
        int64_t start = texts[3 * t], length = texts[3 * t + 1], kind = texts[3 * t + 2];
        int width = kind > WIDE ? 2 : 1, hex = kind % 2 == 0;
        if (start < 0 || length < 0 || length > (int64_t)nbytes || start > (int64_t)nbytes - length) continue;
        for (int phase = 0; phase < (hex ? 2 : 4); phase++) {
            int64_t chars = length / width - phase, most = chars + 32;
            if (chars <= 0 || at + most > (int64_t)out_bytes) continue;
            const uint8_t *p = buf + start + phase * width;
            int64_t n = hex ? decode_hex(p, chars, width, out + at) : decode_base64(p, chars, width, out + at);
            places[4 * written] = at;
            places[4 * written + 1] = n;
            places[4 * written + 2] = (int64_t)t;
            places[4 * written + 3] = phase;
            written++;
            int64_t next = (at + n + 7) / 8 * 8 + 16; /* so that no number reaches from one into the next */
            memset(out + at + n, 0, (size_t)(next - at - n));
            at = next;
        }
    }
    return written;
}

void text_shift(int64_t *places, size_t count, int64_t bytes, int64_t texts) {
    for (size_t i = 0; i < count; i++) {
        places[4 * i] += bytes;
        places[4 * i + 2] += texts;
    }
}

void text_spans(const int64_t *places, size_t count, int64_t *out) {
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = places[4 * i];
        out[2 * i + 1] = places[4 * i] + (places[4 * i + 1] + 7) / 8 * 8;
    }
}

size_t text_starts(const int64_t *places, size_t count, const uint32_t *widths, size_t nwidths, uint32_t slack, int64_t *out) {
    size_t written = 0;
    for (size_t i = 0; i < count; i++) {
        int fits = 0;
        if (places[4 * i + 3]) continue;
        for (size_t k = 0; k < nwidths; k++) fits |= (uint64_t)(places[4 * i + 1] - widths[k]) <= slack;
        if (fits) out[written++] = places[4 * i];
    }
    return written;
}
