/* Looks for digests of a sketch at every aligned place of a buffer.
 *
 * The table is a bitmap of the digests' top bits, which nearly all windows fail, and behind it the digests in slots of
 * open addressing. Digests are made sixteen at a time, and probed together. */
#include "common.h"
#include "sketch.h"
#include "sketch_hash.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { BYTES, HEX, BASE64, TEXT16, HEX16, BASE64_16 };
enum { LOOK_TEXT = 1, LOOK_ONE_CASE = 2 };
enum { HEX_CHARS = 32, BASE64_CHARS = 22, TEXT_CHARS = 16, BASE64_PHASES = 4, HEX_PHASES = 2, MOST_ZEROS = 4 };
enum { MOST_CHARS = BASE64_CHARS + BASE64_PHASES - 1 < HEX_CHARS + HEX_PHASES - 1 ? HEX_CHARS + HEX_PHASES - 1
                                                                                   : BASE64_CHARS + BASE64_PHASES - 1 };
static const uint64_t TOPS = 0x8080808080808080ull;

struct sketch_table {
    uint32_t state[8];
    unsigned bitmap_shift, slot_shift;
    uint64_t *bitmap;
    uint64_t *slots; /* zero: empty */
    size_t bitmap_words, slot_count;
    int has_zero;
};

/* By character: value in base64 below 64, or 255; in hex below 16, or 255; bit 0 a capital letter, bit 1 a small one. */
static uint8_t base64_value[256], hex_value[256], letter_case[256];
static sketch_hash *chosen;

__attribute__((constructor)) static void fill_tables(void) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    memset(base64_value, 255, sizeof base64_value);
    memset(hex_value, 255, sizeof hex_value);
    for (int i = 0; i < 64; i++) base64_value[(uint8_t)alphabet[i]] = (uint8_t)i;
    base64_value['-'] = 62;
    base64_value['_'] = 63;
    for (int i = 0; i < 10; i++) hex_value['0' + i] = (uint8_t)i;
    for (int i = 0; i < 6; i++) hex_value['a' + i] = hex_value['A' + i] = (uint8_t)(10 + i);
    for (int i = 0; i < 26; i++) letter_case['A' + i] = 1, letter_case['a' + i] = 2;
    chosen = sketch_best_hash();
}

int sketch_use(int kind) {
    sketch_hash *one = kind == 0 ? sketch_best_hash() : sketch_hash_of(kind);
    if (one) chosen = one;
    return one != NULL;
}

/* ---- the table ---- */

static void insert(sketch_table *t, uint64_t digest) {
    t->bitmap[digest >> t->bitmap_shift >> 6] |= 1ull << (digest >> t->bitmap_shift & 63);
    if (digest == 0) {
        t->has_zero = 1;
        return;
    }
    size_t slot = digest >> t->slot_shift;
    while (t->slots[slot] && t->slots[slot] != digest) slot = (slot + 1) & (t->slot_count - 1);
    t->slots[slot] = digest;
}

static int is_in(const sketch_table *t, uint64_t digest) {
    if (digest == 0) return t->has_zero;
    size_t slot = digest >> t->slot_shift;
    while (t->slots[slot] && t->slots[slot] != digest) slot = (slot + 1) & (t->slot_count - 1);
    return t->slots[slot] != 0;
}

sketch_table *sketch_new(const uint8_t *block, const uint64_t *digests, size_t count) {
    sketch_table *t = calloc(1, sizeof *t);
    unsigned bits = 12, slot_bits = 6; /* 16 bits of the bitmap for each digest, as far as 16 MiB of it go */
    if (!t) return NULL;
    while (bits < 27 && (1ull << bits) < 16 * (uint64_t)count) bits++;
    while ((1ull << slot_bits) < 2 * (uint64_t)count) slot_bits++;
    sketch_state(block, t->state);
    t->bitmap_shift = 64 - bits;
    t->slot_shift = 64 - slot_bits;
    t->bitmap_words = (size_t)1 << (bits - 6);
    t->slot_count = (size_t)1 << slot_bits;
    t->bitmap = calloc(t->bitmap_words, 8);
    t->slots = calloc(t->slot_count, 8);
    if (!t->bitmap || !t->slots) {
        sketch_free(t);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) insert(t, digests[i]);
    return t;
}

void sketch_free(sketch_table *t) {
    if (!t) return;
    free(t->bitmap);
    free(t->slots);
    free(t);
}

/* ---- windows that wait for their digests ---- */

typedef struct {
    const sketch_table *table;
    sketch_hash *hash;
    uint32_t words[4][LANES] __attribute__((aligned(64)));
    int64_t at[LANES];
    uint8_t kind[LANES];
    int count;
    uint64_t tried;
    int64_t *out;
    size_t written, cap;
    int full;
} batch;

/* Probes what waits. If there is no room for all that is found, none of this batch is kept, and nothing more is taken. */
static void settle(batch *b) {
    uint64_t digests[LANES];
    size_t before = b->written;
    int count = b->count;
    if (!count || b->full) return;
    b->count = 0;
    b->hash(b->table->state, b->words, digests);
    b->tried += (uint64_t)count;
    for (int i = 0; i < count; i++)
        __builtin_prefetch(&b->table->bitmap[digests[i] >> b->table->bitmap_shift >> 6]);
    for (int i = 0; i < count; i++) {
        uint64_t bit = digests[i] >> b->table->bitmap_shift;
        if (!(b->table->bitmap[bit >> 6] >> (bit & 63) & 1) || !is_in(b->table, digests[i])) continue;
        if (b->written == b->cap) {
            b->written = before;
            b->full = 1;
            return;
        }
        int64_t *out = b->out + 3 * b->written++;
        out[0] = b->at[i];
        out[1] = b->kind[i];
        memcpy(&out[2], &digests[i], 8);
    }
}

INLINE void push(batch *b, int64_t at, int kind, uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3) {
    if (b->full) return;
    int i = b->count++;
    b->words[0][i] = w0;
    b->words[1][i] = w1;
    b->words[2][i] = w2;
    b->words[3][i] = w3;
    b->at[i] = at;
    b->kind[i] = (uint8_t)kind;
    if (b->count == LANES) settle(b);
}

INLINE void push_bytes(batch *b, int64_t at, int kind, const uint8_t *p) {
    push(b, at, kind, __builtin_bswap32(load32(p)), __builtin_bswap32(load32(p + 4)), __builtin_bswap32(load32(p + 8)),
         __builtin_bswap32(load32(p + 12)));
}

INLINE void push_number(batch *b, int64_t at, int kind, u128 x) {
    push(b, at, kind, (uint32_t)(x >> 96), (uint32_t)(x >> 64), (uint32_t)(x >> 32), (uint32_t)x);
}

void sketch_digests(const sketch_table *t, const uint8_t *data, size_t step, size_t count, uint64_t *out) {
    uint32_t words[4][LANES] __attribute__((aligned(64))) = {{0}};
    uint64_t digests[LANES];
    for (size_t done = 0; done < count; done += LANES) {
        int now = count - done < LANES ? (int)(count - done) : LANES;
        for (int lane = 0; lane < now; lane++)
            for (int i = 0; i < 4; i++)
                words[i][lane] = __builtin_bswap32(load32(data + (done + (size_t)lane) * step + 4 * (size_t)i));
        chosen(t->state, words, digests);
        memcpy(out + done, digests, 8 * (size_t)now);
    }
    wipe(words, sizeof words);
}

/* ---- text ---- */

/* Characters at which windows may begin: bit i of base64 and hex, if one begins i characters on. */
typedef struct {
    unsigned base64, hex;
} phases;

enum { HEX_BITS = (1 << HEX_PHASES) - 1, BASE64_BITS = (1 << BASE64_PHASES) - 1 };

/* Tries windows of text, whose characters stand `width` bytes apart in memory. */
static void try_text(batch *b, const uint8_t *chars, phases at_phase, int64_t at, int width, int hex_kind, int base64_kind) {
    for (int phase = 0; at_phase.hex >> phase; phase++) {
        if (!(at_phase.hex >> phase & 1)) continue;
        u128 x = 0;
        for (int i = 0; i < HEX_CHARS; i++) x = x << 4 | hex_value[chars[phase + i]];
        push_number(b, at + phase * width, hex_kind, x);
    }
    if (!at_phase.base64) return;
    int first = __builtin_ctz(at_phase.base64);
    u128 x = 0; /* the last 21 characters */
    for (int i = 0; i < BASE64_CHARS - 1; i++) x = x << 6 | base64_value[chars[first + i]];
    for (int phase = first; at_phase.base64 >> phase; phase++) {
        uint8_t last = base64_value[chars[phase + BASE64_CHARS - 1]];
        if (at_phase.base64 >> phase & 1) push_number(b, at + phase * width, base64_kind, x << 2 | last >> 4);
        x = x << 6 | last;
    }
}

/* The same character by character, for `count` of them. */
static phases phases_of(const uint8_t *chars, int count, unsigned looks) {
    phases found = {0, 0};
    int base64 = 0, hex = 0, capital = -MOST_CHARS, small = -MOST_CHARS; /* lengths of runs; where letters stood last */
    for (int i = 0; i < count; i++) {
        uint8_t c = chars[i];
        base64 = base64_value[c] < 64 ? base64 + 1 : 0;
        hex = hex_value[c] < 16 ? hex + 1 : 0;
        if (letter_case[c] == 1) capital = i;
        if (letter_case[c] == 2) small = i;
        int begin = i - BASE64_CHARS + 1, both_cases = capital >= begin && small >= begin;
        if (base64 >= BASE64_CHARS && begin < BASE64_PHASES && (both_cases || looks & LOOK_ONE_CASE))
            found.base64 |= 1u << begin;
        if (hex >= HEX_CHARS) found.hex |= 1u << (i - HEX_CHARS + 1);
    }
    return found;
}

/* UTF-16LE from `p` on: every second byte zero, and the others characters. */
static void try_utf16(batch *b, const uint8_t *p, int64_t room, int64_t at, unsigned looks) {
    uint8_t chars[MOST_CHARS];
    int count = 0;
    while (count < MOST_CHARS && 2 * count + 2 <= room && p[2 * count + 1] == 0 && p[2 * count] >= 0x20
           && p[2 * count] < 0x7f) {
        chars[count] = p[2 * count];
        count++;
    }
    if (count >= TEXT_CHARS && looks & LOOK_TEXT) push_bytes(b, at, TEXT16, chars);
    if (count >= BASE64_CHARS) try_text(b, chars, phases_of(chars, count, looks), at, 2, HEX16, BASE64_16);
}

/* Whether sixteen bytes may be of a secret: its two words are not the same, and no four bytes are zero (of random ones
 * 4 in 10^7 have four). Memory is full of others. */
INLINE int may_be_random(uint64_t first, uint64_t second) {
    const uint64_t low = 0x7f7f7f7f7f7f7f7full;
    if (first == second) return 0;
    /* a byte's top bit is set here if the byte is zero */
    uint64_t zeros = ~(((first & low) + low) | first | low), more = ~(((second & low) + low) | second | low);
    return __builtin_popcountll(zeros) + __builtin_popcountll(more) < MOST_ZEROS;
}

INLINE void try_place(batch *b, const uint8_t *buf, int64_t nbytes, int64_t at, phases text, unsigned looks) {
    const uint8_t *p = buf + at;
    uint64_t first = load64(p), second = load64(p + 8);
    int64_t room = nbytes - at;
    if ((first | second) & TOPS) {
        if (may_be_random(first, second)) push_bytes(b, at, BYTES, p);
        return;
    }
    if (looks & LOOK_TEXT && may_be_random(first, second)) push_bytes(b, at, BYTES, p);
    if (!(first & 0xff00ff00ff00ff00ull)) {
        try_utf16(b, p, room, at, looks);
    } else if (!(first & 0x00ff00ff00ff00ffull)) {
        try_utf16(b, p + 1, room - 1, at + 1, looks);
    } else if (text.base64 | text.hex) {
        try_text(b, p, text, at, 1, HEX, BASE64);
    }
}

/* ---- where text stands, a block of the mask (64 words) at a time ---- */

enum { BLOCK_BYTES = 512, AHEAD = 64, MASK_WORDS = (BLOCK_BYTES + AHEAD) / 64 };

/* A bit for each byte: of base64 or base64url, a capital letter, a small one, a digit of hex, one with its top bit set,
 * zero. */
typedef struct {
    uint64_t base64[MASK_WORDS], capital[MASK_WORDS], small[MASK_WORDS], hex[MASK_WORDS], top[MASK_WORDS], zero[MASK_WORDS];
} kinds;

typedef void kinds_maker(const uint8_t *p, kinds *k);

static void kinds_plain(const uint8_t *p, kinds *k) {
    memset(k, 0, sizeof *k);
    for (int i = 0; i < BLOCK_BYTES + AHEAD; i++) {
        uint8_t c = p[i];
        k->base64[i / 64] |= (uint64_t)(base64_value[c] < 64) << (i % 64);
        k->capital[i / 64] |= (uint64_t)(letter_case[c] == 1) << (i % 64);
        k->small[i / 64] |= (uint64_t)(letter_case[c] == 2) << (i % 64);
        k->hex[i / 64] |= (uint64_t)(hex_value[c] < 16) << (i % 64);
        k->top[i / 64] |= (uint64_t)(c >> 7) << (i % 64);
        k->zero[i / 64] |= (uint64_t)(c == 0) << (i % 64);
    }
}

#if defined(__x86_64__)
/* Which bytes of c are one of `count` from `first` on. */
#define IN_RANGE(c, first, count)                                                                                 \
    _mm256_cmpeq_epi8(_mm256_min_epu8(_mm256_sub_epi8(c, _mm256_set1_epi8(first)), _mm256_set1_epi8((count) - 1)), \
                      _mm256_sub_epi8(c, _mm256_set1_epi8(first)))
#define IS(c, what) _mm256_cmpeq_epi8(c, _mm256_set1_epi8(what))
#define BITS(vector) ((uint64_t)(uint32_t)_mm256_movemask_epi8(vector))

__attribute__((target("avx2"))) static void kinds_avx2(const uint8_t *p, kinds *k) {
    for (int word = 0; word < MASK_WORDS; word++) {
        uint64_t base64 = 0, capital = 0, small = 0, hex = 0, top = 0, zero = 0;
        for (int half = 0; half < 2; half++) {
            __m256i c = _mm256_loadu_si256((const __m256i *)(p + 64 * word + 32 * half));
            __m256i capitals = IN_RANGE(c, 'A', 26), smalls = IN_RANGE(c, 'a', 26), digits = IN_RANGE(c, '0', 10);
            __m256i others = _mm256_or_si256(_mm256_or_si256(IS(c, '+'), IS(c, '/')), _mm256_or_si256(IS(c, '-'), IS(c, '_')));
            __m256i letters = _mm256_or_si256(capitals, smalls);
            __m256i first_six = IN_RANGE(_mm256_or_si256(c, _mm256_set1_epi8(0x20)), 'a', 6);
            base64 |= BITS(_mm256_or_si256(_mm256_or_si256(letters, digits), others)) << (32 * half);
            capital |= BITS(capitals) << (32 * half);
            small |= BITS(smalls) << (32 * half);
            hex |= BITS(_mm256_or_si256(first_six, digits)) << (32 * half);
            top |= BITS(c) << (32 * half);
            zero |= BITS(IS(c, 0)) << (32 * half);
        }
        k->base64[word] = base64;
        k->capital[word] = capital;
        k->small[word] = small;
        k->hex[word] = hex;
        k->top[word] = top;
        k->zero[word] = zero;
    }
}
#endif

static kinds_maker *best_kinds(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return kinds_avx2;
#endif
    return kinds_plain;
}

/* Bit i becomes the AND of the `width` bits from i on, or their OR: with itself moved by 1, 2, 4 … and the rest. */
INLINE void over_windows(uint64_t mask[MASK_WORDS], unsigned width, int all) {
    for (unsigned have = 1; have < width;) {
        unsigned by = have < width - have ? have : width - have;
        for (int i = 0; i < MASK_WORDS; i++) {
            uint64_t next = i + 1 < MASK_WORDS ? mask[i + 1] : 0, moved = mask[i] >> by | next << (64 - by);
            mask[i] = all ? mask[i] & moved : mask[i] | moved;
        }
        have += by;
    }
}

/* Where windows of base64 (k->base64) and of hex (k->hex) begin. */
static void windows_of_text(kinds_maker *make, const uint8_t *buf, size_t nbytes, size_t start, unsigned looks, kinds *k) {
    const uint64_t begins = 0x0101010101010101ull * BASE64_BITS;
    uint64_t any = 0;
    if (nbytes - start < BLOCK_BYTES + AHEAD) { /* the last one: nothing is read behind the buffer */
        uint8_t end[BLOCK_BYTES + AHEAD] = {0};
        memcpy(end, buf + start, nbytes - start);
        make(end, k);
    } else {
        make(buf + start, k);
    }
    over_windows(k->base64, BASE64_CHARS, 1);
    for (int i = 0; i < BLOCK_BYTES / 64; i++) any |= k->base64[i] & begins;
    if (!any) { /* hex is base64, too */
        memset(k->hex, 0, sizeof k->hex);
        return;
    }
    over_windows(k->hex, HEX_CHARS, 1);
    if (looks & LOOK_ONE_CASE) return;
    over_windows(k->capital, BASE64_CHARS, 0);
    over_windows(k->small, BASE64_CHARS, 0);
    for (int i = 0; i < MASK_WORDS; i++) k->base64[i] &= k->capital[i] & k->small[i];
}

/* The places (words) of the block at which there is anything to try, of which windows_of_text has been called. */
static uint64_t places_to_try(kinds *k) {
    const uint64_t ones = 0x0101010101010101ull;
    uint64_t places = 0;
    over_windows(k->top, 16, 0);
    for (int i = 0; i < BLOCK_BYTES / 64; i++) {
        uint64_t text = k->base64[i] | k->hex[i], zero = k->zero[i];
        text |= text >> 1;
        text |= text >> 2;
        zero &= zero >> 2; /* every second of eight bytes: bit 0 for the even ones, bit 1 for the odd ones */
        zero &= zero >> 4;
        uint64_t any = (k->top[i] | text | zero | zero >> 1) & ones;
        places |= (any * 0x0102040810204080ull >> 56) << (8 * i);
    }
    return places;
}

INLINE phases phases_at(const kinds *k, unsigned word) {
    unsigned shift = word % 8 * 8;
    return (phases){k->base64[word / 8] >> shift & BASE64_BITS, k->hex[word / 8] >> shift & HEX_BITS};
}

/* There was no room for what the last batch found: all from its first place on is done again. */
static size_t step_back(batch *b) {
    int64_t word = b->at[0] / 8;
    while (b->written && b->out[3 * (b->written - 1)] / 8 >= word) b->written--;
    return (size_t)word;
}

size_t sketch_find(const sketch_table *t, const uint8_t *buf, size_t nbytes, const uint64_t *mask, unsigned looks,
                   size_t stop, int64_t *out, size_t cap, size_t *resume, uint64_t *tried) {
    batch b = {.table = t, .hash = chosen, .out = out, .cap = cap};
    size_t blocks = (nbytes / 8 + 63) / 64, last = (stop + 63) / 64;
    kinds_maker *make = best_kinds();
    for (size_t block = *resume / 64; block < last && !b.full; block++) {
        uint64_t here = mask[block], next = block + 1 < blocks ? mask[block + 1] : 0;
        uint64_t both = here & (here >> 1 | next << 63);
        kinds text;
        if (block == *resume / 64) both &= ~0ull << (*resume % 64);
        if (block == stop / 64) both &= (1ull << (stop % 64)) - 1;
        if (!both) continue;
        windows_of_text(make, buf, nbytes, BLOCK_BYTES * block, looks, &text);
        if (!(looks & LOOK_TEXT)) both &= places_to_try(&text);
        for (; both && !b.full; both &= both - 1) {
            unsigned word = (unsigned)__builtin_ctzll(both);
            int64_t at = (int64_t)(BLOCK_BYTES * block + 8 * (size_t)word);
            try_place(&b, buf, (int64_t)nbytes, at, phases_at(&text, word), looks);
        }
    }
    settle(&b);
    *resume = b.full ? step_back(&b) : stop;
    *tried += b.tried;
    wipe(&b.words, sizeof b.words);
    return b.written;
}
