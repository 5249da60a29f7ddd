/* Numbers in memory that give an RSA key away: primes that divide a known modulus, and private exponents.
 *
 * A window is read in one of the layouts in which runtimes keep big integers, then passes tests of rising cost: top bit and last bit, variety of
 * the top bytes, trial division by small primes, and exact division of the modulus from the low end (Jebelean 1993). */
#include "common.h"

enum { MAX_LIMBS = 64, LE64 = 0, BE = 1, BE32W = 2, BE64W = 3, PY30 = 4, SMI28 = 5, NEGATED = 6 };

/* --- reading a window ------------------------------------------------------------------------------------------------ */

size_t rsa_width(unsigned layout, unsigned bits) {
    switch (layout) {
    case LE64:
    case BE:
        return (bits + 7) / 8;
    case BE32W:
        return 4 * (size_t)((bits + 31) / 32);
    case PY30:
        return 4 * (size_t)((bits + 29) / 30);
    case SMI28:
        return 8 * (size_t)((bits + 27) / 28);
    default:
        return 8 * (size_t)((bits + 63) / 64);
    }
}

/* Collects digits of `digit_bits` bits, least significant first, into limbs. 0 if a digit is out of range. */
INLINE int read_digits(const uint8_t *p, size_t digits, unsigned digit_bits, size_t limbs, uint64_t *x) {
    u128 gather = 0;
    unsigned have = 0;
    size_t limb = 0;
    for (size_t i = 0; i < digits; i++) {
        uint64_t digit;
        if (digit_bits == 30) {
            digit = load32(p + 4 * i);
        } else {
            digit = load64(p + 8 * i);
            if (digit & 0xffffffffull) return 0;
            digit >>= 32;
        }
        if (digit >> digit_bits) return 0;
        gather |= (u128)digit << have;
        have += digit_bits;
        if (have >= 64) {
            if (limb < limbs) x[limb++] = (uint64_t)gather;
            else if ((uint64_t)gather) return 0;
            gather >>= 64;
            have -= 64;
        }
    }
    while (limb < limbs) {
        x[limb++] = (uint64_t)gather;
        gather >>= 64;
    }
    return gather == 0;
}

/* The top eight bytes of a number in one of the layouts that fill their bytes. */
INLINE uint64_t read_top(const uint8_t *p, unsigned layout, size_t width) {
    uint64_t first;
    switch (layout) {
    case BE:
        return __builtin_bswap64(load64(p));
    case BE32W:
        first = load64(p);
        return first << 32 | first >> 32;
    case BE64W:
        return load64(p);
    case NEGATED:
        return ~load64(p + width - 8);
    default:
        return load64(p + width - 8);
    }
}

INLINE int read_window(const uint8_t *p, unsigned layout, unsigned bits, size_t limbs, size_t width, uint64_t *x) {
    const uint8_t *last = p + width - 8;
    /* the top limb may have fewer than eight bytes of the window: what stands beside the window is not read */
    size_t missing = 8 * (8 * limbs - width);
    switch (layout) {
    case LE64:
        memcpy(x, p, 8 * limbs - 8);
        x[limbs - 1] = read_top(p, LE64, width) >> missing;
        return 1;
    case BE:
        for (size_t i = 0; i + 1 < limbs; i++) x[i] = __builtin_bswap64(load64(last - 8 * i));
        x[limbs - 1] = read_top(p, BE, width) >> missing;
        return 1;
    case BE32W:
        for (size_t i = 0; i + 1 < limbs; i++) {
            uint64_t w = load64(last - 8 * i);
            x[i] = w << 32 | w >> 32;
        }
        x[limbs - 1] = read_top(p, BE32W, width) >> missing;
        return 1;
    case BE64W:
        for (size_t i = 0; i < limbs; i++) x[i] = load64(p + 8 * (limbs - 1 - i));
        return 1;
    case PY30:
        return read_digits(p, (bits + 29) / 30, 30, limbs, x);
    case SMI28:
        return read_digits(p, (bits + 27) / 28, 28, limbs, x);
    case NEGATED: {
        uint64_t carry = 1;
        for (size_t i = 0; i < limbs; i++) {
            uint64_t w = ~load64(p + 8 * i);
            x[i] = w + carry;
            carry = carry && x[i] == 0;
        }
        return 1;
    }
    default:
        return 0;
    }
}

/* Whether the top bit of a number is the one at which its highest is to be. */
INLINE int has_top_bit(uint64_t top, uint64_t bit) { return top - bit < bit; }

/* A cheap look at the two ends of a window before it is read: an odd number whose top eight bytes have the right highest bit? */
INLINE int ends_fit(const uint8_t *p, unsigned layout, size_t width, uint64_t top_bit) {
    const uint8_t *last = p + width - 8;
    switch (layout) {
    case LE64:
    case NEGATED:
        return (p[0] & 1) && has_top_bit(read_top(p, layout, width), top_bit);
    case BE:
        return (last[7] & 1) && has_top_bit(read_top(p, layout, width), top_bit);
    case BE32W:
        return (last[4] & 1) && has_top_bit(read_top(p, layout, width), top_bit);
    case BE64W:
        return (last[0] & 1) && has_top_bit(read_top(p, layout, width), top_bit);
    case PY30:
        return (p[0] & 1) && ((load64(p) | load64(last)) & 0xc0000000c0000000ull) == 0;
    default:
        return (p[4] & 1) && ((load64(p) | load64(last)) & 0xf0000000ffffffffull) == 0;
    }
}

/* Top bytes of the limbs of a random number differ; those of floats, pointers, text and tables do not. Six bits of up to sixteen of them
 * are marked in one word; fewer than half as many marks as limbs happen to a random number once in 10^6 (8 or 16 limbs looked at). */
INLINE int is_varied(const uint8_t *p, size_t limbs) {
    uint64_t seen = 0;
    size_t look = limbs < 16 ? limbs : 16;
    for (size_t i = 0; i < look; i++) seen |= 1ull << (load64(p + 8 * i) >> 56 & 63);
    return (size_t)__builtin_popcountll(seen) * 2 >= look;
}

/* --- trial division ------------------------------------------------------------------------------------------------------- */

/* Moduli below 2^24.6, so that 2 * MAX_LIMBS products of a 32-bit half and a weight fit in 64 bits. The first SIEVE_QUICK groups go up to 61. */
enum { SIEVE_QUICK = 3, SIEVE_GROUPS = 70, SIEVE_PRIMES = 3 };
static const uint16_t sieve_primes[SIEVE_GROUPS][6] = {
#include "sieve_primes.inc"
};

typedef struct {
    uint32_t weight[2 * MAX_LIMBS]; /* 2^(32 i) mod modulus */
    uint32_t modulus;
    uint64_t reciprocal;             /* floor(2^64 / modulus) */
    uint32_t inverse[6], limit[6];   /* p divides x if and only if x * inverse <= limit, modulo 2^32 (Granlund, Montgomery 1994) */
    int primes;
} sieve_group;

static void sieve_prepare(sieve_group *group, size_t g, size_t limbs) {
    uint64_t w = 1;
    group->modulus = 1;
    group->primes = 0;
    for (int i = 0; i < 6 && sieve_primes[g][i]; i++, group->primes++) {
        uint32_t p = sieve_primes[g][i], x = p * 3 ^ 2;
        for (int k = 0; k < 3; k++) x *= 2 - p * x;
        group->inverse[i] = x;
        group->limit[i] = 0xffffffffu / p;
        group->modulus *= p;
    }
    group->reciprocal = ~0ull / group->modulus;
    for (size_t i = 0; i < 2 * limbs; i++) {
        group->weight[i] = (uint32_t)w;
        w = (w << 32) % group->modulus;
    }
}

INLINE int has_factor(const uint64_t *x, size_t limbs, const sieve_group *group) {
    uint64_t sum = 0;
    const uint32_t *weight = group->weight;
    for (size_t i = 0; i < limbs; i++) sum += (x[i] & 0xffffffffull) * weight[2 * i] + (x[i] >> 32) * weight[2 * i + 1];
    /* Barrett's quotient is at most 2 too small: the rest may keep multiples of the modulus, which its primes divide as well */
    uint32_t rest = (uint32_t)(sum - (uint64_t)(((u128)sum * group->reciprocal) >> 64) * group->modulus);
    int found = 0;
    for (int i = 0; i < group->primes; i++) found |= rest * group->inverse[i] <= group->limit[i];
    return found;
}

/* 2^64 = 1 modulo 3, 5, 17, 257, 641, 65537: the sum of the limbs tells all of them. */
INLINE int has_fermat_factor(const uint64_t *x, size_t limbs) {
    u128 sum = 0;
    for (size_t i = 0; i < limbs; i++) sum += x[i];
    uint64_t s = (uint64_t)sum, carry = (uint64_t)(sum >> 64);
    s += carry;
    s += s < carry;
    return s % 3 == 0 || s % 5 == 0 || s % 17 == 0 || s % 257 == 0 || s % 641 == 0;
}

/* --- exact division --------------------------------------------------------------------------------------------------------- */

/* Inverse of an odd number modulo 2^64, by Newton's iteration from five right bits. */
INLINE uint64_t inverse64(uint64_t p) {
    uint64_t x = p * 3 ^ 2;
    for (int i = 0; i < 4; i++) x *= 2 - p * x;
    return x;
}

/* Whether the quotient n / p, were it exact, has the top limb that the sizes of n and p imply.
 *
 * The quotient modulo 2^(64 limbs) is worked out limb by limb from the low end, each limb from the sum of a column of products; for a p that does
 * not divide n its top limb is as good as random. Wrong "yes" about once in 2^38 windows; the caller confirms. */
INLINE int may_divide(const uint64_t *p, const uint64_t *n, size_t limbs, uint64_t inverse, double quotient_top) {
    uint64_t y[MAX_LIMBS];
    u128 sum = 0; /* of a column, with `over` above it */
    for (size_t j = 0; j < limbs; j++) {
        uint64_t over = 0;
        for (size_t i = 0; i < j; i++) {
            u128 product = (u128)y[i] * p[j - i];
            sum += product;
            over += sum < product;
        }
        y[j] = (n[j] - (uint64_t)sum) * inverse;
        u128 product = (u128)y[j] * p[0];
        sum += product; /* its low limb is n[j] now */
        over += sum < product;
        sum = (u128)over << 64 | sum >> 64;
    }
    double off = quotient_top - (double)y[limbs - 1];
    double slack = quotient_top * 0x1p-40 + 4;
    wipe(y, 8 * limbs);
    return off < slack && off > -slack;
}

INLINE double top_as_double(const uint64_t *x, size_t limbs) {
    return (double)x[limbs - 1] * 0x1p64 + (double)(limbs > 1 ? x[limbs - 2] : 0);
}

/* --- the searches ----------------------------------------------------------------------------------------------------------- */

typedef struct {
    unsigned layout, bits;
    size_t limbs, width, count;
    uint64_t bound, top_bit; /* the highest bit of a prime in its top limb, and in its top eight bytes */
    const uint64_t *moduli;
    int deep;
    size_t groups;
    sieve_group group[SIEVE_GROUPS];
} prime_test;

static void prime_test_prepare(prime_test *t) {
    t->bound = 1ull << (t->bits - 1) % 64;
    t->top_bit = 1ull << (64 + t->bits - 1 - 8 * t->width) % 64; /* of digits there are more bytes, and it is not used */
    t->deep = t->count == 0;
    /* the longer the division and the more there are, the more it pays to avoid it */
    t->groups = SIEVE_QUICK + t->limbs / 10 + 2 * (t->count ? t->count - 1 : 0);
    if (t->deep || t->groups > SIEVE_GROUPS) t->groups = SIEVE_GROUPS;
    for (size_t g = 0; g < t->groups; g++) sieve_prepare(&t->group[g], g, t->limbs);
}

INLINE int survives(const prime_test *t, const uint8_t *p, uint64_t *x) {
    if (!ends_fit(p, t->layout, t->width, t->top_bit)) return 0;
    if (t->layout == LE64 && t->width == 8 * t->limbs && !is_varied(p, t->limbs)) return 0;
    if (!read_window(p, t->layout, t->bits, t->limbs, t->width, x)) return 0;
    if (!(x[0] & 1) || !has_top_bit(x[t->limbs - 1], t->bound)) return 0;
    if (!is_varied((const uint8_t *)x, t->limbs) || has_fermat_factor(x, t->limbs)) return 0;
    for (size_t g = 0; g < t->groups; g++) {
        if (has_factor(x, t->limbs, &t->group[g])) return 0;
    }
    return 1;
}

/* Writes the keys that a surviving window may divide; the number written, or -1 if there is no room for all. */
INLINE int64_t divide_all(const prime_test *t, const uint64_t *x, int64_t offset, int64_t *out, size_t room) {
    size_t written = 0;
    uint64_t inverse = inverse64(x[0]);
    double top = top_as_double(x, t->limbs);
    for (size_t k = 0; k < t->count; k++) {
        const uint64_t *n = t->moduli + 2 * t->limbs * k;
        double quotient_top = top_as_double(n, 2 * t->limbs) / top * 0x1p64;
        if (!may_divide(x, n, t->limbs, inverse, quotient_top)) continue;
        if (written == room) return -1;
        out[2 * written] = offset;
        out[2 * written + 1] = (int64_t)k;
        written++;
    }
    return (int64_t)written;
}

/* For 64 windows from p on, eight bytes apart: bit i set if the ends of window i fit. */
INLINE uint64_t fitting_ends(const uint8_t *p, size_t width, uint64_t top_bit) {
    uint64_t first[64], last[64], bits = 0;
    uint8_t flag[64];
    memcpy(first, p, 512);
    memcpy(last, p + width - 8, 512);
    for (int i = 0; i < 64; i++) flag[i] = (uint8_t)(first[i] & (last[i] - top_bit < top_bit));
    for (int i = 0; i < 8; i++) bits |= ((load64(flag + 8 * i) * 0x0102040810204080ull) >> 56) << (8 * i);
    return bits;
}

/* From `at` on, the next start (a multiple of 8 bytes from it) whose window's ends fit; past `last` if none: the common case of
 * aligned little-endian limbs, 64 windows at a time. Counts the windows that it passes over. */
INLINE int64_t skip_unfit(const prime_test *t, const uint8_t *buf, int64_t nbytes, int64_t at, int64_t last, uint64_t *visited) {
    while (at <= last) {
        if (at + 512 + (int64_t)t->width > nbytes) return at;
        uint64_t bits = fitting_ends(buf + at, t->width, t->top_bit);
        int64_t skip = bits ? __builtin_ctzll(bits) : 64, left = (last - at) / 8 + 1;
        *visited += (uint64_t)(skip < left ? skip : left);
        at += 8 * skip;
        if (bits) return at;
    }
    return at;
}

/* What rsa_primes writes for one surviving window; -1 if there is no room. */
INLINE int64_t write_hits(const prime_test *t, const uint64_t *x, int64_t offset, int64_t *out, size_t room) {
    if (!t->deep) return divide_all(t, x, offset, out, room);
    if (room == 0) return -1;
    out[0] = offset;
    out[1] = -1;
    return 1;
}

VECTOR_CLONES
size_t rsa_primes(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, unsigned layout,
                  unsigned prime_bits, const uint64_t *moduli, size_t count, size_t step, size_t long_bytes,
                  size_t edge, int64_t *out, size_t cap, int64_t *position, uint64_t *counts) {
    prime_test t = {layout, prime_bits, (prime_bits + 63) / 64, rsa_width(layout, prime_bits), count, 0, 0, moduli, 0, 0, {{{0}, 0, 0, {0}, {0}, 0}}};
    size_t written = 0, r = (size_t)position[0];
    int64_t from = position[1];
    uint64_t x[MAX_LIMBS];
    if (t.limbs < 2 || t.limbs > MAX_LIMBS) return 0;
    prime_test_prepare(&t);
    for (; r < nruns; r++, from = 0) {
        if (runs[2 * r + 1] > (int64_t)nbytes) break;
        windows w = windows_of(runs[2 * r], runs[2 * r + 1], t.width, step, long_bytes, edge);
        int skipping = layout == LE64 && step == 8;
        for (int64_t at = from > w.first ? from : w.first; at <= w.last; at = windows_next(&w, at)) {
            if (skipping) {
                int64_t last = at < w.gap_from ? w.gap_from - 8 : w.last; /* without a gap, gap_from is 0 */
                if ((at = skip_unfit(&t, buf, (int64_t)nbytes, at, last, &counts[0])) > last) {
                    at = last;
                    continue;
                }
            }
            counts[0]++;
            if (!survives(&t, buf + at, x)) continue;
            counts[1]++;
            int64_t found = write_hits(&t, x, at, out + 2 * written, cap - written);
            if (found < 0) { /* this window is visited again when there is room */
                counts[0]--, counts[1]--;
                position[0] = (int64_t)r;
                position[1] = at;
                wipe(x, sizeof x);
                return written;
            }
            written += (size_t)found;
        }
    }
    position[0] = (int64_t)nruns;
    position[1] = 0;
    wipe(x, sizeof x);
    return written;
}

/* Eight bytes of a number, by its layout: 0 le64, 1 be, 2 be32w. */
INLINE uint64_t eight_of(const uint8_t *p, int layout) {
    uint64_t word = load64(p);
    return layout == 0 ? word : layout == 1 ? __builtin_bswap64(word) : word << 32 | word >> 32;
}

/* The top 64 bits of a window, after shifting it left as its modulus is; 0 if it has more bits than that. */
INLINE uint64_t exponent_top(const uint8_t *p, int layout, size_t width, uint32_t shift) {
    const uint8_t *last = p + width - 8;
    uint64_t high = eight_of(layout ? p : last, layout);
    uint64_t next = eight_of(layout ? p + 8 : last - 8, layout);
    if (!shift) return high;
    return high >> (64 - shift) ? 0 : high << shift | next >> (64 - shift);
}

/* e G d / n is within a hair of a whole number if d is a private exponent: look at the fraction. For other windows it is wrong once in 2^22. */
INLINE int fits_exponent(uint64_t top, uint64_t beta, uint64_t fraction_bits) {
    uint64_t fraction = (uint64_t)(((u128)top * beta) >> fraction_bits);
    uint64_t slack = 1ull << (68 - fraction_bits);
    return fraction + slack <= 2 * slack;
}

VECTOR_CLONES
size_t rsa_exponents(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, int layout,
                     size_t width, const uint64_t *factors, const uint32_t *shifts, size_t count, size_t step,
                     size_t long_bytes, size_t edge, int64_t *out, size_t cap, int64_t *position, uint64_t *counts) {
    size_t written = 0, lowest = layout == 0 ? 0 : layout == 1 ? width - 1 : width - 4;
    int64_t from = position[1];
    for (size_t r = (size_t)position[0]; r < nruns; r++, from = 0) {
        if (runs[2 * r + 1] > (int64_t)nbytes) break;
        windows w = windows_of(runs[2 * r], runs[2 * r + 1], width, step, long_bytes, edge);
        for (int64_t at = from > w.first ? from : w.first; at <= w.last; at = windows_next(&w, at)) {
            const uint8_t *p = buf + at;
            counts[0]++;
            if (!(p[lowest] & 1) || !is_varied(p, width / 8)) continue;
            counts[1]++;
            size_t before = written;
            for (size_t k = 0; k < count; k++) {
                uint64_t top = exponent_top(p, layout, width, shifts[k]);
                if (top >> 40 == 0 || !fits_exponent(top, factors[2 * k], factors[2 * k + 1])) continue;
                if (written == cap) { /* all keys of a window or none, so that nothing is written twice */
                    counts[0]--, counts[1]--;
                    position[0] = (int64_t)r;
                    position[1] = at;
                    return before;
                }
                out[2 * written] = at;
                out[2 * written + 1] = (int64_t)k;
                written++;
            }
        }
    }
    position[0] = (int64_t)nruns;
    position[1] = 0;
    return written;
}

/* Whether a window looks drawn at random: many different byte values, about half of the bits set. For uniformly random windows of 64 bytes
 * or more either test fails with a probability below 2^-30. */
INLINE int is_random(const uint8_t *p, size_t width) {
    uint64_t seen[4] = {0, 0, 0, 0};
    int64_t set = 0;
    int distinct = 0;
    size_t look = width < 128 ? width : 128;
    for (size_t i = 0; i < look; i++) seen[p[i] >> 6] |= 1ull << (p[i] & 63);
    for (int i = 0; i < 4; i++) distinct += __builtin_popcountll(seen[i]);
    for (size_t i = 0; i + 8 <= look; i += 8) set += __builtin_popcountll(load64(p + i));
    int64_t half = (int64_t)look * 4, off = set > half ? set - half : half - set;
    return (size_t)distinct * 8 >= look * (look < 128 ? 5 : 4) && off * off <= 50 * (int64_t)look * 2;
}

VECTOR_CLONES
size_t random_windows(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, size_t width,
                      size_t step, size_t long_bytes, size_t edge, size_t max_run, int64_t *out, size_t cap, int64_t *position,
                      uint64_t *counts) {
    size_t written = 0;
    int64_t from = position[1];
    for (size_t r = (size_t)position[0]; r < nruns; r++, from = 0) {
        if (runs[2 * r + 1] > (int64_t)nbytes) break;
        if ((size_t)(runs[2 * r + 1] - runs[2 * r]) > max_run) continue;
        windows w = windows_of(runs[2 * r], runs[2 * r + 1], width, step, long_bytes, edge);
        for (int64_t at = from > w.first ? from : w.first; at <= w.last; at = windows_next(&w, at)) {
            counts[0]++;
            if (is_dull(load64(buf + at), 48) || is_dull(load64(buf + at + width - 8), 48)) continue;
            if (!is_varied(buf + at, width / 8) || !is_random(buf + at, width)) continue;
            if (written == cap) {
                counts[0]--;
                position[0] = (int64_t)r;
                position[1] = at;
                return written;
            }
            counts[1]++;
            out[written++] = at;
        }
    }
    position[0] = (int64_t)nruns;
    position[1] = 0;
    return written;
}

/* All 32-bit words below 2^30, and as many different byte values as random digits have (half as many as bytes). */
INLINE int is_digits(const uint8_t *p, size_t width) {
    uint64_t seen[4] = {0, 0, 0, 0};
    int distinct = 0;
    for (size_t i = 0; i < width; i += 4) {
        if (load32(p + i) >> 30) return 0;
    }
    for (size_t i = 0; i < width; i++) seen[p[i] >> 6] |= 1ull << (p[i] & 63);
    for (int i = 0; i < 4; i++) distinct += __builtin_popcountll(seen[i]);
    return (size_t)distinct * 2 >= width && load32(p + width - 8) >> 14;
}

VECTOR_CLONES
size_t digit_windows(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, size_t width, size_t step,
                     size_t long_bytes, size_t edge, int64_t *out, size_t cap, int64_t *position) {
    size_t written = 0;
    int64_t from = position[1];
    if (width < 16 || width % 4) return 0;
    for (size_t r = (size_t)position[0]; r < nruns; r++, from = 0) {
        if (runs[2 * r + 1] > (int64_t)nbytes) break;
        /* the word of the last digit may be half empty, and so dull */
        int64_t end = runs[2 * r + 1] + 8 <= (int64_t)nbytes ? runs[2 * r + 1] + 8 : (int64_t)nbytes;
        windows w = windows_of(runs[2 * r], end, width, step, long_bytes, edge);
        for (int64_t at = from > w.first ? from : w.first; at <= w.last; at = windows_next(&w, at)) {
            if (!is_digits(buf + at, width)) continue;
            if (written == cap) {
                position[0] = (int64_t)r;
                position[1] = at;
                return written;
            }
            out[written++] = at;
        }
    }
    position[0] = (int64_t)nruns;
    position[1] = 0;
    return written;
}
