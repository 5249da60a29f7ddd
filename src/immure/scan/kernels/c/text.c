/* Long runs of base64 and hex characters: keys written as text, in PEM bodies, JSON members, XML, environment variables. */
#include "common.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

enum { BASE64 = 1, HEX = 2, WIDE = 2 /* added to a kind: UTF-16LE */, GROUP = 16 };

static inline int is_base64(uint8_t c) {
    uint8_t letter = (uint8_t)((c | 32) - 'a');
    return letter < 26 || (uint8_t)(c - '0') < 10 || c == '+' || c == '/' || c == '-' || c == '_';
}

static inline int is_hex(uint8_t c) {
    return (uint8_t)(c - '0') < 10 || (uint8_t)((c | 32) - 'a') < 6;
}

/* Whether sixteen bytes are all base64 characters. */
#if defined(__x86_64__)
static inline int group_is_base64(const uint8_t *p) {
    __m128i v = _mm_loadu_si128((const __m128i *)p), zero = _mm_setzero_si128();
    __m128i letter = _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8(32)), _mm_set1_epi8('a'));
    __m128i digit = _mm_sub_epi8(v, _mm_set1_epi8('0'));
    __m128i ok = _mm_cmpeq_epi8(_mm_subs_epu8(letter, _mm_set1_epi8(25)), zero);
    ok = _mm_or_si128(ok, _mm_cmpeq_epi8(_mm_subs_epu8(digit, _mm_set1_epi8(9)), zero));
    if (_mm_movemask_epi8(ok) == 0xffff) return 1;
    ok = _mm_or_si128(ok, _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('+')), _mm_cmpeq_epi8(v, _mm_set1_epi8('/'))));
    ok = _mm_or_si128(ok, _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('-')), _mm_cmpeq_epi8(v, _mm_set1_epi8('_'))));
    return _mm_movemask_epi8(ok) == 0xffff;
}
#else
static inline int group_is_base64(const uint8_t *p) {
    for (int i = 0; i < GROUP; i++) {
        if (!is_base64(p[i])) return 0;
    }
    return 1;
}
#endif

/* Whether eight bytes are four base64 characters in UTF-16LE, the first of them at p. */
static inline int wide_group(const uint8_t *p) {
    return (load64(p) & 0xff00ff00ff00ff00ull) == 0 && is_base64(p[0]) && is_base64(p[2]) && is_base64(p[4]) &&
           is_base64(p[6]);
}

typedef struct {
    const uint8_t *buf;
    int64_t nbytes;
    int64_t min_chars;
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
    if (chars - hex_covers < 4 || !may_be_secret(p, chars, width)) return 1;
    return put(s, start, chars * width, BASE64 + wide);
}

/* Extends a group that begins at `at` to the maximal run with characters `width` bytes apart, emits it, and returns its end; -1: no room. */
static int64_t extend(search *s, int64_t at, int64_t floor, int width) {
    const uint8_t *b = s->buf;
    int64_t start = at, end = at;
    while (start - width >= floor && is_base64(b[start - width]) && (width == 1 || b[start - 1] == 0)) start -= width;
    while (end + width <= s->nbytes && is_base64(b[end]) && (width == 1 || b[end + 1] == 0)) end += width;
    if ((end - start) / width < s->min_chars) return end;
    size_t before = s->count;
    if (!emit(s, start, (end - start) / width, width)) {
        s->count = before;
        return -1;
    }
    return end;
}

/* Scans [from, to); the first offset that is not done (== to, or beyond it if a run went further). */
static int64_t scan(search *s, int64_t from, int64_t to, int64_t floor) {
    int64_t at = from;
    while (at + GROUP <= to && at + GROUP <= s->nbytes) {
        int64_t end = at;
        if (group_is_base64(s->buf + at)) {
            end = extend(s, at, floor, 1);
        } else if (wide_group(s->buf + at) && wide_group(s->buf + at + 8)) {
            end = extend(s, at, floor, 2);
        } else if (wide_group(s->buf + at + 1) && at + GROUP + 1 <= s->nbytes && wide_group(s->buf + at + 9)) {
            end = extend(s, at + 1, floor, 2);
        }
        if (end < 0) return floor; /* not `at`: the run may begin before it */
        if (end > at) floor = end;
        at = end > at + GROUP ? end : at + GROUP;
    }
    return at > to ? at : to;
}

size_t text_runs(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, size_t pad, size_t min_chars,
                 int64_t *out, size_t cap, int64_t *position) {
    search s = {buf, (int64_t)nbytes, (int64_t)min_chars, out, 0, cap};
    int64_t done = *position;
    for (size_t r = 0; r < nruns; r++) {
        int64_t from = runs[2 * r] - (int64_t)pad, to = runs[2 * r + 1] + (int64_t)pad;
        if (from < done) from = done;
        if (to > s.nbytes) to = s.nbytes;
        if (to - from < GROUP) continue;
        int64_t end = scan(&s, from, to, done);
        if (end < to) {
            *position = end;
            return s.count;
        }
        done = end;
    }
    *position = (int64_t)nbytes;
    return s.count;
}
