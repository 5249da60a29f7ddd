/* Which 32-byte windows may be a key: cheap statistics that random bytes pass and nearly everything else in memory fails.
 *
 * A window of four 64-bit words passes if
 *   no word is dull: below 2^48 or at least 2^64 - 2^48 (zeros, small numbers, pointers, sign extensions);
 *   5 to 27 of its bytes have the top bit set (text has none);
 *   no byte of the words is the same in all four, top bit aside (arrays of floats, of structures, of near pointers);
 *   88 to 168 bits are set, and fewer than 5 bytes are 0x00 or 0xff;
 *   its bytes take at least 17 values modulo 64, at least 17 of 64 values of their upper six bits, and at least 23 values.
 * Of 32 random bytes 1.6 in 10 000 fail, most of them by the first rule (tests/scanning/kernels/test_ec_filter.py computes it).
 * The rules stand in the order of their price; the first three are written without branches, for the vectoriser. */
#include <stdlib.h>

#include "ec_internal.h"

#define BLOCK 64 /* windows looked at together */
#define WINDOW 4 /* words */

static const uint64_t dull_limit = (uint64_t)1 << 48;
static const uint64_t ones = 0x0101010101010101, low7 = 0x7f7f7f7f7f7f7f7f, high1 = 0x8080808080808080;

/* ---- stage 1 ---- */

EC_INLINE uint64_t is_lively(uint64_t x) { return x + dull_limit >= 2 * dull_limit; }

EC_INLINE uint64_t all_lively(const uint64_t *w)
{
    return is_lively(w[0]) & is_lively(w[1]) & is_lively(w[2]) & is_lively(w[3]);
}

EC_INLINE uint64_t passes_stage1(const uint64_t *w)
{
    uint64_t tops = ((w[0] >> 7) & ones) + ((w[1] >> 7) & ones) + ((w[2] >> 7) & ones) + ((w[3] >> 7) & ones);
    tops += tops >> 32;
    tops += tops >> 16;
    tops = (tops + (tops >> 8)) & 0xff;
    uint64_t differs = ((w[0] ^ w[1]) | (w[0] ^ w[2]) | (w[0] ^ w[3])) & low7;
    uint64_t no_constant_byte = ((differs + low7) & high1) == high1;
    return all_lively(w) & (tops - 5 <= 22) & no_constant_byte;
}

EC_INLINE void stage1(const uint64_t *w, uint64_t *flags, int strict)
{
    if (strict)
        for (int i = 0; i < BLOCK; i++) flags[i] = passes_stage1(w + i);
    else
        for (int i = 0; i < BLOCK; i++) flags[i] = all_lively(w + i);
}

/* ---- stage 2: features of a word, which four windows share ---- */

typedef struct {
    uint64_t values[4]; /* bit v%64 of values[v/64] for each byte value v */
    uint64_t upper;     /* bit v/4 for each byte value v */
    uint8_t bits, extreme, ready; /* bits set; bytes 0x00 or 0xff */
} features;

/* 0x80 in each byte of the result where x has a zero byte. */
EC_INLINE uint64_t zero_bytes(uint64_t x) { return ~(((x & low7) + low7) | x | low7); }

EC_INLINE void look(features *f, uint64_t x)
{
    memset(f, 0, sizeof *f);
    for (int i = 0; i < 64; i += 8) {
        unsigned v = (x >> i) & 255;
        f->values[v >> 6] |= (uint64_t)1 << (v & 63);
        f->upper |= (uint64_t)1 << (v >> 2);
    }
    f->bits = (uint8_t)__builtin_popcountll(x);
    f->extreme = (uint8_t)__builtin_popcountll(zero_bytes(x) | zero_bytes(~x));
    f->ready = 1;
}

EC_INLINE int passes_stage2(features *f, const uint64_t *w)
{
    for (int i = 0; i < WINDOW; i++)
        if (!f[i].ready) look(&f[i], w[i]);
    int bits = f[0].bits + f[1].bits + f[2].bits + f[3].bits;
    int extreme = f[0].extreme + f[1].extreme + f[2].extreme + f[3].extreme;
    if (bits < 88 || bits > 168 || extreme >= 5) return 0;
    if (__builtin_popcountll(f[0].upper | f[1].upper | f[2].upper | f[3].upper) < 17) return 0;
    uint64_t folded = 0;
    int distinct = 0;
    for (int q = 0; q < 4; q++) {
        uint64_t some = f[0].values[q] | f[1].values[q] | f[2].values[q] | f[3].values[q];
        folded |= some;
        distinct += __builtin_popcountll(some);
    }
    return distinct >= 23 && __builtin_popcountll(folded) >= 17;
}

/* ---- a stretch of windows, 8 bytes apart ---- */

/* Tests n <= BLOCK windows from `at` on; returns how many offsets it wrote. */
EC_INLINE int64_t block(const uint8_t *buffer, int64_t at, int64_t n, int strict, int64_t *out)
{
    uint64_t w[BLOCK + WINDOW], flags[BLOCK], any = 0;
    features f[BLOCK + WINDOW];
    int64_t found = 0;
    memcpy(w, buffer + at, (n + WINDOW - 1) * 8);
    if (n < 12) { /* most runs are short */
        for (int64_t i = 0; i < n; i++) any |= flags[i] = strict ? passes_stage1(w + i) : all_lively(w + i);
    } else {
        memset(w + n + WINDOW - 1, 0, (BLOCK - n + 1) * 8);
        stage1(w, flags, strict);
        for (int i = 0; i < BLOCK; i++) any |= flags[i];
    }
    if (!any) return 0;
    if (strict)
        for (int64_t i = 0; i < n + WINDOW - 1; i++) f[i].ready = 0;
    for (int64_t i = 0; i < n; i++)
        if (flags[i] && (!strict || passes_stage2(f + i, w + i))) out[found++] = at + 8 * i;
    return found;
}

/* Windows first, first + 8 ... up to last; stops in front of a block for which out may not suffice. */
EC_INLINE int64_t stretch(const uint8_t *buffer, int64_t *first, int64_t last, int strict, int64_t *out, int64_t capacity)
{
    int64_t found = 0;
    while (*first <= last && capacity - found >= BLOCK) {
        int64_t left = (last - *first) / 8 + 1, n = left < BLOCK ? left : BLOCK;
        found += block(buffer, *first, n, strict, out + found);
        *first += 8 * n;
    }
    return found;
}

typedef int64_t stretch_function(const uint8_t *, int64_t *, int64_t, int, int64_t *, int64_t);

static int64_t stretch_portable(const uint8_t *b, int64_t *first, int64_t last, int strict, int64_t *out, int64_t cap)
{
    return stretch(b, first, last, strict, out, cap);
}

#if defined(__x86_64__)
__attribute__((target("avx2,popcnt,bmi,bmi2,lzcnt"))) static int64_t
stretch_avx2(const uint8_t *b, int64_t *first, int64_t last, int strict, int64_t *out, int64_t cap)
{
    return stretch(b, first, last, strict, out, cap);
}

__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,popcnt,bmi,bmi2,lzcnt"))) static int64_t
stretch_avx512(const uint8_t *b, int64_t *first, int64_t last, int strict, int64_t *out, int64_t cap)
{
    return stretch(b, first, last, strict, out, cap);
}
#endif

static stretch_function *best_stretch(void)
{
#if defined(__x86_64__)
    int popcnt = __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi2");
    if (popcnt && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) return stretch_avx512;
    if (popcnt && __builtin_cpu_supports("avx2")) return stretch_avx2;
#endif
    return stretch_portable;
}

/* ---- runs ---- */

/* A run's windows lie 8 apart in 8/step phases. With the edge rule, part 0 of a phase is at the start of the run
 * and part 1 at its end; without it part 0 is everything. Leaves the first and last window in span. */
static void spans(const int64_t *run, int64_t phase, int part, int64_t width, int64_t edge, int64_t span[2])
{
    int64_t first = run[0] + phase, last = run[1] - width;
    last = last < first ? first - 8 : first + (last - first) / 8 * 8;
    int64_t head = last, tail = last + 8;
    if (edge >= 0 && last >= first) {
        int64_t reach = run[0] + 8 * edge, back = run[1] - width - 8 * edge;
        head = reach < first ? first - 8 : first + (reach - first) / 8 * 8;
        tail = back <= first ? first : first + (back - first + 7) / 8 * 8;
        if (head > last) head = last;
        if (tail <= head) tail = head + 8;
    }
    span[0] = part ? tail : first;
    span[1] = part ? last : head;
}

int64_t ec_candidates(const uint8_t *buffer, int64_t size, const int64_t *runs, int64_t run_count, int64_t step,
                      int64_t width, int strict, int64_t edge, int64_t *out, int64_t capacity, int64_t *state)
{
    if ((step != 1 && step != 2 && step != 4 && step != 8) || width < 32 || capacity < BLOCK) return -2;
    for (int64_t i = 0; i < run_count; i++)
        if (runs[2 * i] < 0 || runs[2 * i + 1] < runs[2 * i] || runs[2 * i + 1] > size) return -2;
    stretch_function *windows = best_stretch();
    int64_t phases = 8 / step, found = 0, units = run_count * phases * 2;
    for (; state[0] < units; state[0]++, state[1] = -1) {
        int64_t unit = state[0], span[2];
        if (edge < 0 && unit % 2) continue;
        spans(runs + 2 * (unit / 2 / phases), unit / 2 % phases * step, unit % 2, width, edge, span);
        if (state[1] < 0) state[1] = span[0];
        found += windows(buffer, &state[1], span[1], strict, out + found, capacity - found);
        if (state[1] <= span[1]) break;
    }
    return found;
}

int64_t ec_also(const uint8_t *buffer, int64_t size, int64_t *offsets, int64_t count, int64_t behind)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
        if (behind < 0 || offsets[i] < 0 || offsets[i] > size - behind - 8 * WINDOW) return -2;
        uint64_t w[WINDOW];
        features f[WINDOW];
        memcpy(w, buffer + offsets[i] + behind, sizeof w);
        for (int j = 0; j < WINDOW; j++) f[j].ready = 0;
        if (passes_stage1(w) && passes_stage2(f, w)) offsets[kept++] = offsets[i];
    }
    return kept;
}

/* ---- equal windows ---- */

#define PROBES 16 /* hostile images can make many windows of one hash: then some copies stay, which costs only time */

static uint64_t hash_window(const uint8_t *window, int64_t width)
{
    uint64_t hash = 0, word;
    for (int64_t i = 0; i + 8 <= width; i += 8) {
        memcpy(&word, window + i, 8);
        u128 product = (u128)(hash ^ word ^ 0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93;
        hash = (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    return hash;
}

int64_t ec_unique(const uint8_t *buffer, int64_t size, int64_t *offsets, int64_t count, int64_t width)
{
    if (width < 8 || count < 0 || count > (int64_t)1 << 31) return -2;
    for (int64_t i = 0; i < count; i++)
        if (offsets[i] < 0 || offsets[i] > size - width) return -2;
    uint64_t mask = 1023;
    while (mask < 2 * (uint64_t)count) mask = 2 * mask + 1;
    /* Each slot: upper half of the hash, and the index into offsets plus one. */
    uint64_t *slots = calloc(mask + 1, sizeof *slots);
    if (!slots) return -1;
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *window = buffer + offsets[i];
        uint64_t hash = hash_window(window, width), tag = hash >> 32 << 32;
        int copy = 0;
        for (int probe = 0; probe < PROBES && !copy; probe++) {
            uint64_t *slot = &slots[(hash + probe) & mask];
            if (!*slot) {
                *slot = tag | (uint64_t)(kept + 1);
                break;
            }
            copy = (*slot ^ tag) >> 32 == 0 && !memcmp(buffer + offsets[(uint32_t)*slot - 1], window, width);
        }
        if (!copy) offsets[kept++] = offsets[i];
    }
    free(slots);
    return kept;
}
