/* Primes in memory that divide a known RSA modulus.
 *
 * A window passes tests of rising cost: its ends and the sum of its bytes (many windows at a time: rsa_blocks.h), variety of the top bytes of
 * its limbs, trial division by small primes, and exact division of the modulus from the low end (Jebelean 1993). The last three are done
 * for many windows at once where the processor has AVX-512 IFMA (rsa_ifma.c), and one by one elsewhere (rsa_divide.h). */
#include "rsa_blocks.h"
#include "rsa_divide.h"

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

const uint16_t rsa_sieve_primes[SIEVE_GROUPS][SIEVE_PRIMES] = {
#include "rsa_sieve.inc.h"
};

/* --- the search ------------------------------------------------------------------------------------------------------------- */

/* Where a candidate stands: its run, its offset, and how many windows were visited before it. */
typedef struct {
    int64_t run, at;
    uint64_t visited;
} place;

typedef struct {
    const prime_test *t;
    const uint8_t *buf;
    int64_t nbytes;
    int64_t *out;
    size_t cap, written;
    int64_t *position;
    uint64_t *counts;
    size_t prepared; /* groups of primes that are ready */
    rsa_ifma *ifma;  /* NULL on other processors: then candidates do not wait */
    size_t waiting, surviving;
    place waiting_at[SIEVED], surviving_at[DIVIDED];
    const uint8_t *waiting_row[SIEVED], *surviving_row[DIVIDED];
    uint64_t waiting_x[SIEVED][MAX_LIMBS], surviving_x[DIVIDED][MAX_LIMBS], x[MAX_LIMBS], inverse[MAX_LIMBS];
    block block;
    sieve_group group[SIEVE_GROUPS];
} search;

static prime_test test_of(unsigned layout, unsigned bits, const uint64_t *moduli, size_t count, size_t step) {
    size_t limbs = (bits + 63) / 64, width = rsa_width(layout, bits);
    uint64_t high = 1ull << (bits - 1) % 64, top = 1ull << (64 + bits - 1 - 8 * width) % 64; /* of digits it is not used */
    prime_test t = {layout, bits, limbs, width, step, count, moduli, {top, top - 1}, {high, high - 1}, 0};
    if (count && bits % 64 == 0) { /* n / p fits in as many limbs as p: so p is not smaller than the upper half of n */
        uint64_t least = ~0ull;
        for (size_t k = 0; k < count; k++) least = moduli[2 * limbs * (k + 1) - 1] < least ? moduli[2 * limbs * (k + 1) - 1] : least;
        if (least > t.high.least) t.high = (range){least, ~0ull - least};
        if (8 * width == bits) t.top = t.high;
    }
    /* the longer the division and the more there are, the more it pays to avoid it */
    t.groups = SIEVE_QUICK + limbs / 10 + count / 16;
    if (!count || t.groups > SIEVE_GROUPS) t.groups = SIEVE_GROUPS;
    return t;
}

INLINE int has_small_factor(search *s, const uint64_t *x) {
    if (has_fermat_factor(x, s->t->limbs)) return 1;
    for (size_t g = 0; g < s->t->groups; g++) {
        if (g == s->prepared) sieve_prepare(&s->group[s->prepared++], g, s->t->limbs);
        if (has_factor(x, s->t->limbs, &s->group[g])) return 1;
    }
    return 0;
}

/* Whether a number is odd and in the right range. */
INLINE int is_candidate(const prime_test *t, const uint64_t *x) { return (x[0] & 1) && in_range(x[t->limbs - 1], t->high); }

/* Reads a window; 0 if it is no odd number in the right range. */
INLINE int read_candidate(const prime_test *t, const uint8_t *p, uint64_t *x) {
    if (!ends_fit(p, t->layout, t->width, t->top)) return 0;
    if (!read_window(p, t->layout, t->bits, t->limbs, t->width, x)) return 0;
    return is_candidate(t, x);
}

/* The window will be visited again when there is room. */
INLINE int no_room(search *s, const place *where) {
    s->position[0] = where->run;
    s->position[1] = where->at;
    s->counts[0] = where->visited;
    return 0;
}

/* Writes the keys that a candidate may divide. False if there is no room for all. */
INLINE int divide_all(search *s, const uint64_t *x, const place *where) {
    const prime_test *t = s->t;
    size_t written = s->written;
    uint64_t inverse = inverse64(x[0]);
    double top = top_as_double(x, t->limbs);
    if (t->count > 1) invert(s->inverse, x, t->limbs, inverse);
    for (size_t k = 0; k < t->count; k++) {
        const uint64_t *n = t->moduli + 2 * t->limbs * k;
        double quotient_top = top_as_double(n, 2 * t->limbs) / top * 0x1p64;
        if (t->count > 1 ? !may_be_quotient(s->inverse, n, t->limbs, quotient_top) : !may_divide(x, n, t->limbs, inverse, quotient_top))
            continue;
        if (written == s->cap) return no_room(s, where);
        s->out[2 * written] = where->at;
        s->out[2 * written + 1] = (int64_t)k;
        written++;
    }
    s->written = written;
    s->counts[1]++;
    return 1;
}

/* Without moduli, every candidate that is left is written. */
INLINE int write_candidate(search *s, const place *where) {
    if (s->written == s->cap) return no_room(s, where);
    s->out[2 * s->written] = where->at;
    s->out[2 * s->written++ + 1] = -1;
    s->counts[1]++;
    return 1;
}

/* --- candidates one by one --- */

INLINE int examine(search *s, const place *where) {
    const prime_test *t = s->t;
    const uint8_t *p = s->buf + where->at;
    if (t->layout == LE64 && t->width == 8 * t->limbs && !is_varied(p, t->limbs)) return 1;
    if (!read_candidate(t, p, s->x) || !is_varied((const uint8_t *)s->x, t->limbs) || has_small_factor(s, s->x)) return 1;
    return t->count ? divide_all(s, s->x, where) : write_candidate(s, where);
}

/* --- candidates in vectors --- */

/* Divides the candidates that are left; those that fill no vector, together with copies of the first. */
INLINE int divide_survivors(search *s) {
    size_t n = s->surviving;
    s->surviving = 0;
    if (!n) return 1;
    for (size_t i = n; i < DIVIDED; i++) s->surviving_row[i] = s->surviving_row[0];
    unsigned varied, may = rsa_ifma_divide(s->ifma, s->surviving_row, &varied);
    for (size_t i = 0; i < n; i++) {
        const place *where = &s->surviving_at[i];
        if (!(varied >> i & 1)) continue;
        if (!s->t->count) {
            if (!write_candidate(s, where)) return 0;
        } else if (may >> i & 1) {
            memcpy(s->x, s->surviving_row[i], 8 * s->t->limbs);
            /* what is mapped may have changed meanwhile */
            if (is_candidate(s->t, s->x) && !divide_all(s, s->x, where)) return 0;
        } else {
            s->counts[1]++;
        }
    }
    return 1;
}

/* Divides the candidates that wait by small primes; what is left goes on to wait for its division. */
INLINE int sieve_waiting(search *s) {
    size_t n = s->waiting;
    s->waiting = 0;
    if (!n) return 1;
    for (size_t i = n; i < SIEVED; i++) s->waiting_row[i] = s->waiting_row[0];
    unsigned left = rsa_ifma_sieve(s->ifma, s->waiting_row) & ((1u << n) - 1);
    for (; left; left &= left - 1) {
        size_t i = (size_t)__builtin_ctz(left), k = s->surviving++;
        int is_copy = s->waiting_row[i] == (const uint8_t *)s->waiting_x[i];
        s->surviving_at[k] = s->waiting_at[i];
        s->surviving_row[k] = is_copy ? (const uint8_t *)memcpy(s->surviving_x[k], s->waiting_x[i], 8 * s->t->limbs) : s->waiting_row[i];
        if (s->surviving == DIVIDED && !divide_survivors(s)) return 0;
    }
    return 1;
}

INLINE int await(search *s, const place *where) {
    const prime_test *t = s->t;
    const uint8_t *p = s->buf + where->at;
    size_t k = s->waiting;
    if (t->layout == LE64 && t->width == 8 * t->limbs) {
        if (!ends_fit(p, LE64, t->width, t->top)) return 1;
        s->waiting_row[k] = p; /* as it stands */
    } else {
        if (!read_candidate(t, p, s->waiting_x[k])) return 1;
        s->waiting_row[k] = (const uint8_t *)s->waiting_x[k];
    }
    s->waiting_at[k] = *where;
    return ++s->waiting < SIEVED || sieve_waiting(s);
}

/* --- the windows --- */

/* Which of `n` windows from `at` on, at most BLOCK, may be primes: a bit for each. */
INLINE void look_at(search *s, int64_t at, size_t n, uint64_t *bits) {
    const prime_test *t = s->t;
    const uint8_t *p = s->buf + at;
    size_t whole = (n + 63) / 64 * 64;
    if (n < FEW || !has_blocks(t) || at + (int64_t)((whole - 1) * t->step + t->width) > s->nbytes) {
        for (size_t k = 0; k < whole / 64; k++) bits[k] = 0;
        for (size_t i = 0; i < n; i++) bits[i / 64] |= (uint64_t)ends_fit(p + i * t->step, t->layout, t->width, t->top) << i % 64;
        return;
    }
    if (s->ifma) rsa_ifma_fitting(t, p, whole, &s->block, bits);
    else fitting(t, p, whole, &s->block, bits);
    if (n % 64) bits[n / 64] &= (1ull << n % 64) - 1;
}

/* `n` windows of a run from `at` on. False if there is no room for what was found. */
INLINE int search_windows(search *s, int64_t run, int64_t at, size_t n) {
    uint64_t bits[BLOCK / 64], before = s->counts[0];
    look_at(s, at, n, bits);
    s->counts[0] += n;
    for (size_t first = 0; first < n; first += 64) {
        for (uint64_t left = bits[first / 64]; left; left &= left - 1) {
            size_t i = first + (size_t)__builtin_ctzll(left);
            place where = {run, at + (int64_t)(i * s->t->step), before + i};
            if (!(s->ifma ? await(s, &where) : examine(s, &where))) return 0;
        }
    }
    return 1;
}

INLINE int search_run(search *s, int64_t run, windows w, int64_t from) {
    for (int64_t at = from > w.first ? from : w.first; at <= w.last;) {
        int has_gap = w.gap_to > w.gap_from && at < w.gap_from;
        int64_t left = has_gap ? (w.gap_from - at) / w.step : (w.last - at) / w.step + 1;
        int64_t n = left < BLOCK ? left : BLOCK;
        if (!search_windows(s, run, at, (size_t)n)) return 0;
        at = has_gap && n == left ? w.gap_to : at + n * w.step;
    }
    return 1;
}

/* What held parts of numbers. */
static void search_wipe(search *s) {
    if (s->ifma) rsa_ifma_free(s->ifma);
    wipe(s, offsetof(search, group));
}

static int kind = 1; /* which tests are used: 1 the portable ones, 2 those with AVX-512 IFMA */

int rsa_use(int wanted) {
    if (wanted == 0) wanted = rsa_has_ifma() ? 2 : 1;
    if (wanted != 1 && !(wanted == 2 && rsa_has_ifma())) return 0;
    kind = wanted;
    return 1;
}

__attribute__((constructor)) static void choose(void) { rsa_use(0); }

VECTOR_CLONES
static int search_runs(search *s, const int64_t *runs, size_t nruns, size_t long_bytes, size_t edge) {
    int64_t from = s->position[1];
    for (size_t r = (size_t)s->position[0]; r < nruns; r++, from = 0) {
        if (runs[2 * r + 1] > s->nbytes) break;
        windows w = windows_of(runs[2 * r], runs[2 * r + 1], s->t->width, s->t->step, long_bytes, edge);
        if (!search_run(s, (int64_t)r, w, from)) return 0;
    }
    return !s->ifma || (sieve_waiting(s) && divide_survivors(s));
}

size_t rsa_primes(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, unsigned layout, unsigned prime_bits,
                  const uint64_t *moduli, size_t count, size_t step, size_t long_bytes, size_t edge, int64_t *out, size_t cap,
                  int64_t *position, uint64_t *counts) {
    if (prime_bits <= 64 || prime_bits > 64 * MAX_LIMBS) return 0;
    prime_test t = test_of(layout, prime_bits, moduli, count, step);
    search s;
    s.t = &t, s.buf = buf, s.nbytes = (int64_t)nbytes, s.out = out, s.cap = cap, s.written = 0, s.position = position, s.counts = counts;
    s.prepared = s.waiting = s.surviving = 0;
    s.ifma = kind == 2 ? rsa_ifma_new(&t) : NULL;
    if (search_runs(&s, runs, nruns, long_bytes, edge)) {
        position[0] = (int64_t)nruns;
        position[1] = 0;
    }
    size_t written = s.written;
    search_wipe(&s);
    return written;
}
