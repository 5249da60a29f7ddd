/* JSON, strictly: what is not exactly as RFC 8259 has it ends with NULL. Every text is followed by a zero byte, which is part of nothing, so a
 * single byte may be looked at wherever no zero byte was passed; more bytes at once only before `end`. */
#ifndef IMMURE_JSON_H
#define IMMURE_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(IMMURE_PLAIN)
#include <emmintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#define LIKELY(x) __builtin_expect(!!(x), 1)

enum { DEEPEST = 32, LONGEST_NUMBER = 64 };

/* A text: its bytes without the quotes; `plain` if they are ASCII without escapes, `whole` if no half of a surrogate pair is in it. */
typedef struct {
    const uint8_t *at;
    uint32_t length;
    uint8_t plain, whole;
} span;

/* The first byte that is a quote, a backslash, a control character or no ASCII. */
INLINE const uint8_t *special(const uint8_t *p, const uint8_t *end) {
#if defined(__SSE2__) && !defined(IMMURE_PLAIN)
    while (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)p);
        /* as signed numbers, bytes from 128 on are below 32 too */
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
        int mask = _mm_movemask_epi8(_mm_or_si128(found, _mm_cmplt_epi8(v, _mm_set1_epi8(32))));
        if (mask) return p + __builtin_ctz((unsigned)mask);
        p += 16;
    }
#else
    const uint64_t ones = ~0ull / 255, tops = ones << 7;
    while (end - p >= 8) {
        uint64_t v, quote, slash;
        memcpy(&v, p, 8);
        quote = v ^ ones * '"', slash = v ^ ones * '\\';
        if (((quote - ones) | (slash - ones) | (v - ones * 32) | v) & tops) break; /* or a neighbour of one: it is looked at below */
        p += 8;
    }
#endif
    while (*p >= 32 && *p < 128 && *p != '"' && *p != '\\') p++;
    return p;
}

INLINE int hex_digit(uint8_t c) {
    if ((uint8_t)(c - '0') < 10) return c - '0';
    c |= 32;
    return (uint8_t)(c - 'a') < 6 ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits, or -1. */
INLINE int32_t hex4(const uint8_t *p) {
    int32_t made = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0) return -1; /* a zero byte is none */
        made = made << 4 | digit;
    }
    return made;
}

/* Length of the character of UTF-8 at p, which is no ASCII; 0 if it is none. */
static int utf8_length(const uint8_t *p) {
    uint8_t a = p[0];
    if (a < 0xc2 || a > 0xf4 || (p[1] & 0xc0) != 0x80) return 0;
    if (a < 0xe0) return 2;
    if ((p[2] & 0xc0) != 0x80) return 0;
    if (a < 0xf0) return (a == 0xe0 && p[1] < 0xa0) || (a == 0xed && p[1] > 0x9f) ? 0 : 3;
    if ((p[3] & 0xc0) != 0x80) return 0;
    return (a == 0xf0 && p[1] < 0x90) || (a == 0xf4 && p[1] > 0x8f) ? 0 : 4;
}

/* The rest of a text from a special byte on. */
static const uint8_t *text_slow(const uint8_t *p, const uint8_t *end, span *out) {
    for (;; p = special(p, end)) {
        if (*p == '"') {
            out->length = (uint32_t)(p - out->at);
            return p + 1;
        }
        out->plain = 0;
        if (*p >= 128) {
            int length = utf8_length(p);
            if (!length) return NULL;
            p += length;
        } else if (*p != '\\') {
            return NULL;
        } else if (p[1] != 'u') {
            if (p[1] == 0 || !strchr("\"\\/bfnrt", p[1])) return NULL;
            p += 2;
        } else {
            int32_t unit = hex4(p + 2);
            if (unit < 0) return NULL;
            p += 6;
            if (unit >= 0xd800 && unit < 0xe000) {
                int32_t low = unit < 0xdc00 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2) : -1;
                if (low >= 0xdc00 && low < 0xe000)
                    p += 6;
                else
                    out->whole = 0;
            }
        }
    }
}

/* A text; p is behind its first quote. Returns what is behind its last one. */
INLINE const uint8_t *text(const uint8_t *p, const uint8_t *end, span *out) {
    out->at = p;
    out->plain = out->whole = 1;
    p = special(p, end);
    if (LIKELY(*p == '"')) {
        out->length = (uint32_t)(p - out->at);
        return p + 1;
    }
    return text_slow(p, end, out);
}

/* Writes what a text that is whole means, never more bytes than it has. Returns how many. */
static size_t unescape(span given, uint8_t *out) {
    static const uint8_t plain[128] = {['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
    const uint8_t *p = given.at, *end = given.at + given.length;
    uint8_t *o = out;
    while (p < end) {
        if (*p != '\\') {
            *o++ = *p++;
        } else if (p[1] != 'u') {
            *o++ = plain[p[1] & 127];
            p += 2;
        } else {
            uint32_t c = (uint32_t)hex4(p + 2);
            p += 6;
            if (c >= 0xd800 && c < 0xdc00) {
                c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)hex4(p + 2) - 0xdc00);
                p += 6;
            }
            if (c < 0x80) {
                *o++ = (uint8_t)c;
                continue;
            }
            if (c < 0x800) {
                *o++ = (uint8_t)(0xc0 | c >> 6);
            } else {
                if (c < 0x10000) {
                    *o++ = (uint8_t)(0xe0 | c >> 12);
                } else {
                    *o++ = (uint8_t)(0xf0 | c >> 18);
                    *o++ = (uint8_t)(0x80 | (c >> 12 & 63));
                }
                *o++ = (uint8_t)(0x80 | (c >> 6 & 63));
            }
            *o++ = (uint8_t)(0x80 | (c & 63));
        }
    }
    return (size_t)(o - out);
}

INLINE int is_digit(uint8_t c) { return (uint8_t)(c - '0') < 10; }

/* Behind a number that has no more characters than a number has. */
static const uint8_t *skip_number(const uint8_t *p) {
    const uint8_t *begun = p;
    if (*p == '-') p++;
    if (*p == '0')
        p++;
    else if (is_digit(*p))
        while (is_digit(*p)) p++;
    else
        return NULL;
    if (*p == '.') {
        if (!is_digit(*++p)) return NULL;
        while (is_digit(*p)) p++;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '+' || *p == '-') p++;
        if (!is_digit(*p)) return NULL;
        while (is_digit(*p)) p++;
    }
    return p - begun <= LONGEST_NUMBER ? p : NULL;
}

/* Behind a literal, or NULL. */
INLINE const uint8_t *literal(const uint8_t *p, const uint8_t *end, const char *word, size_t length) {
    return (size_t)(end - p) >= length && !memcmp(p, word, length) ? p + length : NULL;
}

/* Space, without the end of the line unless `lines`. */
INLINE const uint8_t *space(const uint8_t *p, int lines) {
    while (*p <= ' ' && (*p == ' ' || *p == '\t' || *p == '\r' || (lines && *p == '\n'))) p++;
    return p;
}

/* Behind any value. */
static const uint8_t *skip_value(const uint8_t *p, const uint8_t *end, int lines) {
    uint64_t arrays = 0; /* the last bit: whether the innermost bracket is of an array */
    int depth = 0;
    span ignored;
    for (;;) {
        uint8_t c = *p;
        if (c == '"') {
            p = text(p + 1, end, &ignored);
        } else if (c == '{' || c == '[') {
            if (++depth > DEEPEST) return NULL;
            arrays = arrays << 1 | (c == '[');
            p = space(p + 1, lines);
            if (*p != (c == '[' ? ']' : '}')) goto member;
        } else if (c == 't') {
            p = literal(p, end, "true", 4);
        } else if (c == 'f') {
            p = literal(p, end, "false", 5);
        } else if (c == 'n') {
            p = literal(p, end, "null", 4);
        } else {
            p = skip_number(p);
        }
        if (!p) return NULL;
        for (;;) { /* behind a value, or at the bracket that closes an empty one */
            if (!depth) return p;
            p = space(p, lines);
            if (*p == (arrays & 1 ? ']' : '}')) {
                p++, depth--, arrays >>= 1;
                continue;
            }
            if (*p != ',') return NULL;
            p = space(p + 1, lines);
            break;
        }
    member:
        if (!(arrays & 1)) {
            if (*p != '"' || !(p = text(p + 1, end, &ignored))) return NULL;
            p = space(p, lines);
            if (*p != ':') return NULL;
            p = space(p + 1, lines);
        }
    }
}

/* Behind the value of an element of which only the brackets count; NULL if they do not close. */
static const uint8_t *skip_brackets(const uint8_t *p, const uint8_t *end) {
    size_t depth = 0;
    for (; p < end; p++) {
        if (*p == '"') {
            for (p++; p < end && *p != '"'; p++)
                if (*p == '\\') p++;
            if (p >= end) return NULL;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            if (!depth) return NULL;
            if (!--depth) return p + 1;
        }
    }
    return NULL;
}

#endif
