/* Names of members, and which one is likely to come next: records of a log have theirs in few orders. */
#ifndef IMMURE_NAMES_H
#define IMMURE_NAMES_H

#include "json.h"

enum { MOST_NAMES = 512, PLACES = 2048, LONGEST_NAME = 128, UNKNOWN = -1 };

/* A name with both of its quotes, what it is of, and the number of the one that stood behind it last. */
typedef struct {
    uint8_t quoted[LONGEST_NAME + 2];
    uint8_t length; /* with the quotes; LONGEST_NAME + 2 fits */
    int16_t what;
    uint16_t next;
} name;

typedef struct {
    name all[MOST_NAMES];
    uint16_t places[PLACES]; /* number of a name + 1; 0 is free */
    uint16_t count, first;
} names;

static size_t place_of(const uint8_t *p, size_t length) {
    uint64_t made = 14695981039346656037ull; /* FNV-1a */
    for (size_t i = 0; i < length; i++) made = (made ^ p[i]) * 1099511628211ull;
    return (size_t)(made ^ made >> 32) % PLACES;
}

/* Number of a name without quotes, or UNKNOWN and its free place. */
static int number_of(const names *known, const uint8_t *p, size_t length, size_t *place) {
    size_t at = place_of(p, length);
    for (; known->places[at]; at = (at + 1) % PLACES) {
        const name *one = &known->all[known->places[at] - 1];
        if ((size_t)one->length == length + 2 && !memcmp(one->quoted + 1, p, length)) return known->places[at] - 1;
    }
    *place = at;
    return UNKNOWN;
}

/* 0 if there is no room, or it is too long. A name that is known gets another meaning. */
static int learn(names *known, const uint8_t *p, size_t length, int what) {
    size_t place;
    if (length > LONGEST_NAME) return 0;
    int number = number_of(known, p, length, &place);
    if (number == UNKNOWN) {
        if (known->count == MOST_NAMES) return 0;
        number = known->count++;
        known->places[place] = known->count;
        name *one = &known->all[number];
        memset(one->quoted, 0, sizeof one->quoted);
        one->quoted[0] = one->quoted[length + 1] = '"';
        memcpy(one->quoted + 1, p, length);
        one->length = (uint8_t)(length + 2);
        one->next = (uint16_t)number;
    }
    known->all[number].what = (int16_t)what;
    return 1;
}

/* Whether a quoted name stands at p. */
INLINE int stands(const name *one, const uint8_t *p, const uint8_t *end) {
    size_t length = one->length;
#if defined(__SSE2__) && !defined(IMMURE_PLAIN)
    if (LIKELY(length <= 32 && end - p >= 32)) {
        const __m128i *a = (const __m128i *)p, *b = (const __m128i *)one->quoted;
        unsigned low = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(a), _mm_loadu_si128(b)));
        unsigned high = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(a + 1), _mm_loadu_si128(b + 1)));
        uint64_t equal = low | (uint64_t)high << 16, wanted = (1ull << length) - 1;
        return (equal & wanted) == wanted;
    }
#endif
    return (size_t)(end - p) >= length && !memcmp(p, one->quoted, length);
}

/* Number of the name whose first quote is at *p, and *p behind it; UNKNOWN, with *given the name, or with *p NULL if it is unusual.
 * guess: where the number of the likely one stands; it is set to the one that was found. */
INLINE int next_name(names *known, const uint8_t **p, const uint8_t *end, uint16_t *guess, span *given) {
    const name *likely = &known->all[*guess];
    if (LIKELY(stands(likely, *p, end))) {
        *p += likely->length;
        return *guess;
    }
    size_t place;
    const uint8_t *behind = text(*p + 1, end, given);
    if (!behind || !given->plain || given->length > LONGEST_NAME) {
        *p = NULL;
        return UNKNOWN;
    }
    int number = number_of(known, given->at, given->length, &place);
    if (number != UNKNOWN) {
        *guess = (uint16_t)number;
        *p = behind;
    }
    return number;
}

#endif
