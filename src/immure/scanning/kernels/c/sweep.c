/* Every place of known byte strings, whole or in part.
 *
 * A copy of 15 bytes or more contains one whole aligned word. So the eight-byte windows of all strings, at every byte offset, go into a hash
 * table, and the image is probed once per aligned word: through a bitmap first, which nearly all words fail. */
#include "common.h"

enum { DULL_BITS = 48, MAX_SAME = 64, STRIDE = 64 };

typedef struct {
    uint64_t word;
    uint32_t needle, at; /* needle + 1, so that zero means empty */
} entry;

struct sweep {
    size_t count, total, slots; /* slots: a power of two */
    unsigned bitmap_shift;
    uint64_t *bitmap;
    size_t bitmap_words;
    entry *table;
    uint32_t *start; /* count + 1 offsets into bytes */
    uint8_t *sparse; /* by needle: only windows at the first eight of every STRIDE offsets are in the table */
    uint8_t *bytes;
};

static inline uint64_t mix(uint64_t word) {
    word *= 0x9e3779b97f4a7c15ull;
    return word ^ word >> 29;
}

static inline uint64_t bitmap_index(const sweep *s, uint64_t word) { return (word * 0x9e3779b97f4a7c15ull) >> s->bitmap_shift; }

/* Whether the window at `at` of a needle is in the table. */
static inline int is_in_table(const sweep *s, uint32_t needle, int64_t at, uint64_t word) {
    return !is_dull(word, DULL_BITS) && (!s->sparse[needle] || at % STRIDE < 8);
}

static void insert(sweep *s, uint64_t word, uint32_t needle, uint32_t at) {
    uint64_t bit = bitmap_index(s, word);
    s->bitmap[bit / 64] |= 1ull << (bit % 64);
    size_t slot = mix(word) & (s->slots - 1);
    for (int same = 0; s->table[slot].needle; slot = (slot + 1) & (s->slots - 1)) {
        if (s->table[slot].word == word && ++same >= MAX_SAME) return;
    }
    s->table[slot] = (entry){word, needle + 1, at};
}

void sweep_free(sweep *s) {
    if (!s) return;
    if (s->bitmap) wipe(s->bitmap, s->bitmap_words * 8), free(s->bitmap);
    if (s->table) wipe(s->table, s->slots * sizeof(entry)), free(s->table);
    if (s->bytes) wipe(s->bytes, s->total), free(s->bytes);
    free(s->start);
    free(s->sparse);
    free(s);
}

static int allocate(sweep *s, size_t windows) {
    unsigned bits = 16;
    for (s->slots = 64; s->slots < 2 * windows;) s->slots *= 2;
    while (bits < 22 && (1ull << bits) < 32 * windows) bits++;
    s->bitmap_shift = 64 - bits;
    s->bitmap_words = (1ull << bits) / 64;
    s->bitmap = calloc(s->bitmap_words, 8);
    s->table = calloc(s->slots, sizeof(entry));
    s->start = calloc(s->count + 1, sizeof(uint32_t));
    s->bytes = malloc(s->total + 1);
    s->sparse = malloc(s->count + 1);
    return s->bitmap && s->table && s->start && s->bytes && s->sparse;
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

size_t sweep_find(const sweep *s, const uint8_t *buf, size_t nbytes, size_t min_bytes, int64_t *out, size_t cap,
                  size_t *resume) {
    search f = {buf, (int64_t)nbytes, (int64_t)min_bytes, out, 0, cap};
    size_t nwords = nbytes / 8;
    for (size_t i = *resume; i < nwords; i++) {
        uint64_t word = load64(buf + 8 * i), bit = bitmap_index(s, word);
        if (!(s->bitmap[bit / 64] >> (bit % 64) & 1)) continue;
        if (!look_up(&f, s, word, (int64_t)(8 * i))) {
            *resume = i;
            return f.count;
        }
    }
    *resume = nwords;
    return f.count;
}
