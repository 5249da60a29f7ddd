/* Which words of a chunk look like part of a number, and where they stand side by side. */
#include "common.h"

/* 64 comparisons into bytes (which compilers turn into vector code), then eight bytes to eight bits at a time. */
VECTOR_CLONES
static size_t mask_blocks(const uint8_t *buf, size_t nblocks, uint64_t limit, uint64_t *mask) {
    size_t total = 0;
    for (size_t b = 0; b < nblocks; b++) {
        uint64_t words[64], bits = 0;
        uint8_t flag[64];
        memcpy(words, buf + 512 * b, 512);
        for (int i = 0; i < 64; i++) flag[i] = words[i] + limit >= 2 * limit;
        for (int i = 0; i < 8; i++) {
            uint64_t eight;
            memcpy(&eight, flag + 8 * i, 8);
            bits |= ((eight * 0x0102040810204080ull) >> 56) << (8 * i);
        }
        mask[b] = bits;
        total += (size_t)__builtin_popcountll(bits);
    }
    return total;
}

size_t words_mask(const uint8_t *buf, size_t nwords, unsigned bits, uint64_t *mask) {
    uint64_t limit = 1ull << bits, last = 0;
    size_t whole = nwords / 64, total = mask_blocks(buf, whole, limit, mask);
    for (size_t i = whole * 64; i < nwords; i++) {
        if (load64(buf + 8 * i) + limit >= 2 * limit) last |= 1ull << (i & 63), total++;
    }
    if (nwords % 64) mask[whole] = last;
    return total;
}

void words_loosen(const uint64_t *mask, size_t nwords, uint64_t *out) {
    size_t blocks = (nwords + 63) / 64;
    for (size_t b = 0; b < blocks; b++) {
        uint64_t before = b ? mask[b - 1] : 0, here = mask[b], after = b + 1 < blocks ? mask[b + 1] : 0;
        /* two dull words side by side are what many heaps put between two objects: those must not be joined */
        out[b] = here | ((here << 1 | before >> 63) & (here >> 1 | after << 63));
    }
}

/* First word at or after `from` whose bit equals `value`; nwords if none. */
static size_t next_bit(const uint64_t *mask, size_t nwords, size_t from, int value) {
    while (from < nwords) {
        uint64_t bits = (value ? mask[from / 64] : ~mask[from / 64]) >> (from % 64);
        if (bits) {
            from += (size_t)__builtin_ctzll(bits);
            return from < nwords ? from : nwords;
        }
        from = (from / 64 + 1) * 64;
    }
    return nwords;
}

/* Start of the next run of at least `length` bits (2 <= length <= 32) at or after `from`: a shrinking AND leaves a bit only where a
 * run of that length begins, so short runs cost nothing each. */
static size_t next_run(const uint64_t *mask, size_t nwords, size_t from, unsigned length) {
    size_t blocks = (nwords + 63) / 64;
    for (size_t b = from / 64; b < blocks; b++) {
        uint64_t low = mask[b], high = b + 1 < blocks ? mask[b + 1] : 0;
        for (unsigned have = 1; have < length && low;) {
            unsigned by = have < length - have ? have : length - have;
            low &= low >> by | high << (64 - by);
            high &= high >> by;
            have += by;
        }
        if (b == from / 64) low &= ~0ull << (from % 64);
        if (low) return b * 64 + (size_t)__builtin_ctzll(low);
    }
    return nwords;
}

size_t words_runs(const uint64_t *mask, size_t nwords, unsigned min_words, int64_t *out, size_t cap, size_t *resume) {
    size_t count = 0, at = *resume;
    unsigned probe = min_words < 2 ? 2 : min_words > 32 ? 32 : min_words;
    while (at < nwords) {
        size_t start = min_words < 2 ? next_bit(mask, nwords, at, 1) : next_run(mask, nwords, at, probe);
        if (start >= nwords) {
            at = nwords;
            break;
        }
        size_t end = next_bit(mask, nwords, start, 0);
        if (end - start >= min_words) {
            if (count == cap) {
                at = start;
                break;
            }
            out[2 * count] = (int64_t)(8 * start);
            out[2 * count + 1] = (int64_t)(8 * end);
            count++;
        }
        at = end;
    }
    *resume = at;
    return count;
}

void words_pad(int64_t *runs, size_t nruns, int64_t nbytes, int64_t pad) {
    for (size_t r = 0; r < nruns; r++) {
        runs[2 * r] = runs[2 * r] > pad ? runs[2 * r] - pad : 0;
        runs[2 * r + 1] = runs[2 * r + 1] + pad < nbytes ? runs[2 * r + 1] + pad : nbytes;
    }
}

void words_count(const int64_t *runs, size_t nruns, size_t width, size_t step, size_t long_bytes, size_t edge,
                 uint64_t *counts) {
    for (size_t r = 0; r < nruns; r++) {
        int64_t start = runs[2 * r], end = runs[2 * r + 1];
        if (end - start < (int64_t)width) continue;
        windows all = windows_of(start, end, width, step, (size_t)-1, edge);
        windows ends = windows_of(start, end, width, step, long_bytes, edge);
        counts[0] += windows_total(&all);
        counts[1] += windows_total(&ends);
    }
}

/* --- what looks random ------------------------------------------------------------------------------------------------------ */

INLINE int distinct_bytes(const uint8_t *p, int64_t length) {
    uint8_t seen[256]; /* bytes and not bits: none of the stores waits for the one before */
    int distinct = 0;
    memset(seen, 0, sizeof seen);
    for (int64_t i = 0; i < length; i++) seen[p[i]] = 1;
    for (int i = 0; i < 256; i += 8) distinct += __builtin_popcountll(load64(seen + i));
    return distinct;
}

/* Noise is pages that are random all over: compressed, encrypted, random data; arrays of floats, too. Eight blocks of a page are looked at; all but
 * one must have half as many different bytes as bytes (64 of 128; random ones have 101 on average). */
enum { PAGE = 4096, BLOCK = 128, BLOCKS = 8, NOISE_PAGES = 16, END = 64 };

INLINE int page_is_noise(const uint8_t *page) {
    int failed = 0;
    for (int i = 0; i < BLOCKS; i++) {
        if (distinct_bytes(page + i * (PAGE / BLOCKS), BLOCK) < BLOCK / 2 && ++failed > 1) return 0;
    }
    return 1;
}

/* Bytes of some words whose top bit is set: none in text, half of random ones. */
INLINE int top_bits(const uint8_t *p, int64_t words) {
    int set = 0;
    for (int64_t i = 0; i < words; i++) set += __builtin_popcountll(load64(p + 8 * i) & 0x8080808080808080ull);
    return set;
}

/* Whether of 64 bytes 12 top bits are set (of random ones 32 are on average, fewer than 12 less than once in 10^6), and 32 of them have more than 18
 * different values (30 on average; 18 or fewer less than once in 10^9). */
INLINE int end_is_random(const uint8_t *p) { return top_bits(p, END / 8) >= 12 && distinct_bytes(p + END / 4, END / 2) > 18; }

/* The same of a short run: a word at either end may be the rest of something else. Thresholds as above, by length. */
INLINE int inside_is_random(const uint8_t *p, int64_t length) {
    return 16 * (int64_t)top_bits(p, length / 8) >= 3 * length && 16 * (int64_t)distinct_bytes(p, length) > 9 * length;
}

size_t words_between(const int64_t *runs, size_t nruns, int64_t min_bytes, int64_t max_bytes, int64_t whole, int64_t head,
                     int64_t *out) {
    size_t count = 0;
    for (size_t r = 0; r < nruns; r++) {
        int64_t start = runs[2 * r], end = runs[2 * r + 1], length = end - start;
        if (length < min_bytes || length > max_bytes) continue;
        if (start > 0 && length > 8) start += 8;
        out[2 * count] = start;
        out[2 * count + 1] = length > whole && start + head < end ? start + head : end;
        count++;
    }
    return count;
}

VECTOR_CLONES
size_t words_binary_ends(const uint8_t *buf, const int64_t *runs, size_t nruns, int64_t max_bytes, int64_t *out) {
    size_t count = 0;
    for (size_t r = 0; r < nruns; r++) {
        int64_t start = runs[2 * r], end = runs[2 * r + 1];
        if (end - start < 48 || end - start > max_bytes) continue;
        /* 5 of 32 bytes as the filter of candidates asks; of random ones 5 in 10^5 have fewer */
        if (top_bits(buf + start, 6) < 5 && top_bits(buf + end - 48, 6) < 5) continue;
        out[2 * count] = start;
        out[2 * count + 1] = end;
        count++;
    }
    return count;
}

VECTOR_CLONES
size_t words_random_ends(const uint8_t *buf, const int64_t *runs, size_t nruns, int64_t min_bytes, int64_t *out) {
    size_t count = 0;
    for (size_t r = 0; r < nruns; r++) {
        int64_t start = runs[2 * r], end = runs[2 * r + 1], length = end - start;
        if (length < min_bytes) continue;
        if (length < END + 32) {
            if (!inside_is_random(buf + start + 8, length - 16)) continue;
        } else if (!end_is_random(buf + start + 16) && !end_is_random(buf + end - 16 - END)) {
            continue;
        }
        out[2 * count] = start;
        out[2 * count + 1] = end;
        count++;
    }
    return count;
}

/* The end of the noise that begins with the page at `page` (a page boundary), or `page` itself if it is shorter than NOISE_PAGES. */
INLINE int64_t noise_end(const uint8_t *buf, int64_t page, int64_t end) {
    int64_t at = page;
    while (at + PAGE <= end && page_is_noise(buf + at)) at += PAGE;
    return at - page >= NOISE_PAGES * PAGE ? at : page;
}

VECTOR_CLONES
size_t words_quiet(const uint8_t *buf, int64_t page_phase, const int64_t *runs, size_t nruns, int64_t margin, int64_t *out,
                   size_t cap) {
    size_t count = 0;
    for (size_t r = 0; r < nruns; r++) {
        int64_t start = runs[2 * r], end = runs[2 * r + 1], from = start;
        if (end - start >= NOISE_PAGES * PAGE) {
            int64_t page = start + (PAGE - (start + page_phase) % PAGE) % PAGE;
            while (page + NOISE_PAGES * PAGE <= end && count + 2 < cap) {
                int64_t until = noise_end(buf, page, end);
                if (until == page) {
                    page += PAGE;
                    continue;
                }
                out[2 * count] = from;
                out[2 * count + 1] = page + margin;
                count++;
                from = until - margin;
                page = until;
            }
        }
        if (count == cap) return count;
        out[2 * count] = from;
        out[2 * count + 1] = end;
        count++;
    }
    return count;
}
