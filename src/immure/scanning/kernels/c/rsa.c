/* Private exponents of RSA keys in memory, and windows of random-looking bytes or digits that may be other numbers of one. Primes: rsa_primes.c. */
#include "common.h"
#include "rsa_numbers.h"

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
