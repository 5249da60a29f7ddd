/* Trial division and exact division for processors with AVX-512 IFMA: eight candidates in the lanes of a vector, numbers in digits of 52 bits.
 * Everywhere else this file only says that it is not there. */
#include "rsa_ifma.h"

#if defined(__x86_64__)

/* COLUMNS of digits are worked out together; VECTORS of candidates are divided together, and by KEYS moduli, so that the multipliers are
 * never idle. A quotient has at least SPARE fewer bits than its digits. */
enum { COLUMNS = 4, VECTORS = DIVIDED / 8, KEYS = 2, SPARE = 12,
    MAX_DIGITS = ((64 * MAX_LIMBS + SPARE + 51) / 52 + COLUMNS - 1) / COLUMNS * COLUMNS, MAX_SIEVES = 40 };

/* Primes whose product is small enough for the sum of all digits' products with weights to be split in two of 52 bits. */
typedef struct {
    uint64_t weight[MAX_DIGITS]; /* 2^(52 j) mod modulus */
    uint64_t modulus, negative_inverse; /* -1 / modulus mod 2^52 */
    uint64_t inverse[16], limit[16]; /* p divides x if and only if x * inverse <= limit, modulo 2^52 (Granlund, Montgomery 1994) */
    int primes;
} sieve;

struct rsa_ifma {
    /* in this order: limbs and digits that are used together are not a multiple of 4096 bytes apart, at which a processor takes a load for
     * one of what was stored last */
    vector p[VECTORS][MAX_DIGITS], limb[MAX_LIMBS + 1], y[VECTORS][MAX_DIGITS];
    size_t limbs, digits, count, sieves;
    uint64_t first_digit[MAX_DIGITS], shift[MAX_DIGITS]; /* 1, 0, 0, … and where in its limb each digit begins */
    uint64_t *keys; /* the moduli's lower digits */
    sieve sieve[MAX_SIEVES];
};

int rsa_has_ifma(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2")
        && __builtin_cpu_supports("avx512vpopcntdq");
}

/* ---- what is worked out once ---- */

static void sieve_add(sieve *s, uint64_t p) {
    uint64_t x = p * 3 ^ 2;
    for (int k = 0; k < 4; k++) x *= 2 - p * x;
    s->inverse[s->primes] = x & MASK52;
    s->limit[s->primes++] = MASK52 / p;
    s->modulus *= p;
}

static void sieve_finish(sieve *s, size_t digits) {
    uint64_t w = 1, x = s->modulus * 3 ^ 2;
    for (int k = 0; k < 4; k++) x *= 2 - s->modulus * x;
    s->negative_inverse = (0 - x) & MASK52;
    for (size_t j = 0; j < digits; j++) {
        s->weight[j] = w;
        w = (uint64_t)(((u128)w << 52) % s->modulus);
    }
}

/* 3, 5, 17 and the primes of the test's groups, as many to a modulus as fit. */
static void sieves_prepare(rsa_ifma *s, const prime_test *t) {
    static const uint16_t always[3] = {3, 5, 17};
    uint64_t most = (MASK52 - 1024) / (s->digits + 1);
    sieve *last = s->sieve;
    last->modulus = 1, last->primes = 0;
    for (size_t i = 0; i < 3 + t->groups * SIEVE_PRIMES; i++) {
        uint64_t p = i < 3 ? always[i] : rsa_sieve_primes[(i - 3) / SIEVE_PRIMES][(i - 3) % SIEVE_PRIMES];
        if (!p) continue;
        if (last->modulus * p > most || last->primes == 16) {
            sieve_finish(last++, s->digits);
            last->modulus = 1, last->primes = 0;
        }
        sieve_add(last, p);
    }
    sieve_finish(last, s->digits);
    s->sieves = (size_t)(last - s->sieve) + 1;
}

/* The digits of a number of so many limbs, and zeros behind them. */
static void split(uint64_t *digit, size_t digits, const uint64_t *x, size_t limbs) {
    for (size_t j = 0; j < digits; j++) {
        size_t q = 52 * j / 64, bit = 52 * j % 64;
        u128 pair = (q < limbs ? x[q] : 0) | (u128)(q + 1 < limbs ? x[q + 1] : 0) << 64;
        digit[j] = (uint64_t)(pair >> bit) & MASK52;
    }
}

rsa_ifma *rsa_ifma_new(const prime_test *t) {
    size_t digits = (64 * t->limbs + SPARE + 51) / 52, padded = (digits + COLUMNS - 1) / COLUMNS * COLUMNS;
    size_t count = t->count > 1 ? (t->count + KEYS - 1) / KEYS * KEYS : t->count;
    if (count > SIZE_MAX / (8 * MAX_DIGITS)) return NULL;
    size_t bytes = (sizeof(rsa_ifma) + 8 * count * padded + 63) / 64 * 64;
    rsa_ifma *s = aligned_alloc(64, bytes);
    if (!s) return NULL;
    s->limbs = t->limbs, s->digits = digits, s->count = count;
    s->keys = (uint64_t *)(s + 1);
    for (size_t j = 0; j < MAX_DIGITS; j++) s->first_digit[j] = j == 0, s->shift[j] = 52 * j % 64;
    for (size_t k = 0; k < count; k++) { /* the last one may stand there twice */
        split(s->keys + padded * k, padded, t->moduli + 2 * t->limbs * (k < t->count ? k : t->count - 1), 2 * t->limbs);
    }
    sieves_prepare(s, t);
    return s;
}

void rsa_ifma_free(rsa_ifma *s) {
    wipe(s, offsetof(rsa_ifma, limbs));
    free(s);
}

/* ---- vectors ---- */

/* The limbs of eight candidates, and a zero. */
IFMA_INLINE void load(rsa_ifma *s, const uint8_t *const *row) {
    for (size_t from = 0; from < s->limbs; from += 8) {
        vector rows[8], limb[8];
        size_t left = s->limbs - from;
        __mmask8 there = left < 8 ? (__mmask8)((1u << left) - 1) : 0xff;
        UNROLL for (int k = 0; k < 8; k++) rows[k] = _mm512_maskz_loadu_epi64(there, row[k] + 8 * from);
        transpose(rows, limb);
        for (size_t k = 0; k < 8 && k < left; k++) s->limb[from + k] = limb[k];
    }
    s->limb[s->limbs] = set1(0);
}

/* Digit j, with higher bits above its 52, which products do not look at. */
IFMA_INLINE vector digit(const rsa_ifma *s, size_t j) {
    size_t q = 52 * j / 64;
    if (q >= s->limbs) return set1(0);
    return _mm512_shrdv_epi64(s->limb[q], s->limb[q + 1], set1(s->shift[j]));
}

/* ---- trial division ---- */

/* The candidates none of whose primes divides them. The sum of digits times weights, reduced by Montgomery's method, is x / 2^52. */
IFMA_INLINE unsigned without_factor(const rsa_ifma *s, const sieve *by) {
    const vector zero = set1(0);
    vector lo[2] = {zero, zero}, hi[2] = {zero, zero};
    size_t j = 0;
    for (; j + 2 <= s->digits; j += 2) {
        UNROLL for (int k = 0; k < 2; k++) {
            vector weight = set1(by->weight[j + k]);
            lo[k] = low(lo[k], s->p[0][j + k], weight);
            hi[k] = high(hi[k], s->p[0][j + k], weight);
        }
    }
    if (j < s->digits) {
        lo[0] = low(lo[0], s->p[0][j], set1(by->weight[j]));
        hi[0] = high(hi[0], s->p[0][j], set1(by->weight[j]));
    }
    vector sum = add(lo[0], lo[1]), m = low(zero, sum, set1(by->negative_inverse));
    /* sum + m * modulus is a multiple of 2^52: there is a carry from below unless nothing stands there */
    vector rest = high(add(add(hi[0], hi[1]), _mm512_srli_epi64(sum, 52)), m, set1(by->modulus));
    rest = _mm512_mask_add_epi64(rest, _mm512_test_epi64_mask(sum, set1(MASK52)), rest, set1(1));
    unsigned left = 0xff;
    for (int i = 0; i < by->primes; i++) {
        left &= _mm512_cmpgt_epu64_mask(low(zero, rest, set1(by->inverse[i])), set1(by->limit[i]));
    }
    return left;
}

IFMA unsigned rsa_ifma_sieve(rsa_ifma *s, const uint8_t *const row[SIEVED]) {
    unsigned left = 0xff;
    load(s, row);
    for (size_t j = 0; j < s->digits; j++) s->p[0][j] = digit(s, j);
    for (size_t g = 0; g < s->sieves && left; g++) left &= without_factor(s, &s->sieve[g]);
    return left;
}

/* ---- exact division ---- */

/* is_varied() of the limbs. */
IFMA_INLINE unsigned varied(const rsa_ifma *s) {
    size_t look = s->limbs < 16 ? s->limbs : 16;
    vector seen = set1(0);
    /* rolling by a byte's lower six bits */
    for (size_t i = 0; i < look; i++) seen = _mm512_or_si512(seen, _mm512_rolv_epi64(set1(1), _mm512_srli_epi64(s->limb[i], 56)));
    return _mm512_cmpge_epu64_mask(_mm512_popcnt_epi64(seen), set1((look + 1) / 2));
}

/* -1 / p modulo 2^52. */
IFMA_INLINE vector negative_inverse(vector p) {
    const vector zero = set1(0), two = set1(2);
    vector x = _mm512_xor_si512(add(add(p, p), p), two);
    UNROLL for (int i = 0; i < 4; i++) x = low(zero, x, _mm512_sub_epi64(two, low(zero, p, x)));
    return _mm512_sub_epi64(zero, x);
}

/* y with y * p + n = 0 modulo 2^(52 digits): digit by digit, each from the column of products of those below it; COLUMNS at a time. */
IFMA_INLINE void solve(rsa_ifma *s, const uint64_t *n, size_t digits) {
    const vector zero = set1(0);
    vector inverse[VECTORS], carry[VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++) inverse[v] = negative_inverse(s->p[v][0]), carry[v] = zero;
    for (size_t j = 0; j < digits; j += COLUMNS) {
        vector lo[VECTORS][COLUMNS + 1], hi[VECTORS][COLUMNS + 1]; /* hi[c] belongs to column c + 1 */
        UNROLL for (int v = 0; v < VECTORS; v++) {
            UNROLL for (int c = 0; c < COLUMNS; c++) lo[v][c] = set1(n[j + c]), hi[v][c] = zero;
            lo[v][0] = add(lo[v][0], carry[v]);
        }
        for (size_t i = 0; i < j; i++) {
            UNROLL for (int v = 0; v < VECTORS; v++) {
                vector y = s->y[v][i];
                UNROLL for (int c = 0; c < COLUMNS; c++) {
                    vector p = s->p[v][j - i + c];
                    lo[v][c] = low(lo[v][c], y, p);
                    hi[v][c] = high(hi[v][c], y, p);
                }
            }
        }
        UNROLL for (int c = 0; c < COLUMNS; c++) {
            UNROLL for (int v = 0; v < VECTORS; v++) {
                vector y = low(zero, lo[v][c], inverse[v]);
                s->y[v][j + c] = y;
                UNROLL for (int d = c; d < COLUMNS; d++) {
                    vector p = s->p[v][d - c];
                    lo[v][d] = low(lo[v][d], y, p);
                    hi[v][d] = high(hi[v][d], y, p);
                }
                carry[v] = add(_mm512_srli_epi64(lo[v][c], 52), hi[v][c]); /* the column's own digit is zero now */
                if (c + 1 < COLUMNS) lo[v][c + 1] = add(lo[v][c + 1], carry[v]);
            }
        }
    }
}

/* The candidates for which the top digit of minus a quotient says that the quotient has SPARE bits fewer than its digits, where
 * `missing` was not added to it. */
IFMA_INLINE unsigned is_short(const rsa_ifma *s, vector top, uint64_t missing) {
    size_t spare = 52 * s->digits - 64 * s->limbs;
    uint64_t quotients = (uint64_t)1 << (spare < 52 ? 52 - spare : 0);
    vector off = _mm512_and_si512(add(top, set1(quotients + missing)), set1(MASK52));
    return _mm512_cmple_epu64_mask(off, set1(quotients + missing));
}

/* With y = -1 / p: the top digits of y * n for KEYS moduli, but for carries from the columns below. */
IFMA_INLINE void divide_keys(const rsa_ifma *s, const uint64_t *n, size_t padded, unsigned *may) {
    vector sum[VECTORS][KEYS][2], above[VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++) {
        above[v] = s->y[v][s->digits - 1];
        UNROLL for (int k = 0; k < KEYS; k++) sum[v][k][0] = sum[v][k][1] = set1(0);
    }
    for (size_t i = 0; i + 1 < s->digits; i++) {
        UNROLL for (int v = 0; v < VECTORS; v++) {
            vector y = s->y[v][s->digits - 2 - i];
            UNROLL for (int k = 0; k < KEYS; k++) {
                vector digit = set1(n[padded * k + i]);
                sum[v][k][0] = low(sum[v][k][0], above[v], digit);
                sum[v][k][1] = high(sum[v][k][1], y, digit);
            }
            above[v] = y;
        }
    }
    UNROLL for (int v = 0; v < VECTORS; v++) {
        UNROLL for (int k = 0; k < KEYS; k++) {
            vector last = low(sum[v][k][0], above[v], set1(n[padded * k + s->digits - 1]));
            may[v] |= is_short(s, add(last, sum[v][k][1]), 2 * s->digits);
        }
    }
}

IFMA unsigned rsa_ifma_divide(rsa_ifma *s, const uint8_t *const row[DIVIDED], unsigned *is_varied) {
    size_t padded = (s->digits + COLUMNS - 1) / COLUMNS * COLUMNS;
    unsigned may[VECTORS] = {0}, all = 0;
    *is_varied = 0;
    for (int v = 0; v < VECTORS; v++) {
        load(s, row + 8 * v);
        *is_varied |= varied(s) << (8 * v);
        for (size_t j = 0; j < padded; j++) s->p[v][j] = digit(s, j);
    }
    if (!s->count || !*is_varied) return 0;
    const uint64_t *n = s->count == 1 ? s->keys : s->first_digit;
    if (s->digits == 20) solve(s, n, 20); /* RSA-2048: loops of constant length */
    else solve(s, n, s->digits);
    if (s->count == 1) {
        for (int v = 0; v < VECTORS; v++) may[v] = is_short(s, s->y[v][s->digits - 1], 0);
    } else {
        for (size_t k = 0; k < s->count; k += KEYS) divide_keys(s, s->keys + padded * k, padded, may);
    }
    for (int v = 0; v < VECTORS; v++) all |= may[v] << (8 * v);
    return all & *is_varied;
}

#else

int rsa_has_ifma(void) { return 0; }
rsa_ifma *rsa_ifma_new(const prime_test *t) { return t ? NULL : NULL; }
void rsa_ifma_free(rsa_ifma *s) { (void)s; }
unsigned rsa_ifma_sieve(rsa_ifma *s, const uint8_t *const row[SIEVED]) { return s && row ? 0 : 0; }
unsigned rsa_ifma_divide(rsa_ifma *s, const uint8_t *const row[DIVIDED], unsigned *varied) { return s && row ? *varied = 0 : 0; }

#endif
