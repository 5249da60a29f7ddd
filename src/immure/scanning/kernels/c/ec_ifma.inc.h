/* Template: the comb of one field with AVX-512 IFMA, eight candidates in the lanes of a vector. Included once per field, with
 *   FIELD      name, part of every function's name    LIMBS, DIGITS   64-bit and 52-bit words of an element
 *   BITS       scalars are below 2^BITS                PRIME_BITS, PRIME52   length of the prime, its 52-bit digits
 *   MULTIPLY   product of the file ec_ifma.c          FOLD            adds h*(2^PRIME_BITS mod p) to digits, for a small h
 *   INTO, ENTER, LEAVE, INVERSE   portable constants: see below
 * The structure is that of ec_comb.inc.h, which also builds the table.
 *
 * An element is DIGITS digits of 52 bits. "Tight" means every digit is in [0, 2^52), which the multiplier demands. What MULTIPLY and
 * settle() leave is tight and below 2p; what a subtraction leaves is tight and below 4p; MULTIPLY takes factors of which
 * one is below 4p and the other below 3p. Only what leaves this file is reduced to [0, p).
 *
 * Representation: x*M mod p, where M = 2^(52*DIGITS) for the primes that are reduced by Montgomery's method and 1 for the others.
 * The portable multiplication computes a*b/P with P = 2^(64*LIMBS) or 1; so multiplying by
 *   INTO    = M        turns portable representation into ours,
 *   ENTER   = M*P      a plain number into ours,
 *   LEAVE   = P/M      ours into a plain number,
 *   INVERSE = M^2/P    the portable inverse of a number in our representation into its inverse in ours.
 */

#define CAT_(a, b) a##_##b
#define CAT(a, b) CAT_(a, b)
#define FN(name) CAT(FIELD, name)
#define ROW ((2 * LIMBS + 7) / 8 * 8) /* 64-bit words from one point of the table to the next: whole cache lines */

typedef __m512i FN(fe)[DIGITS];
#define fe FN(fe)

enum { FN(bits) = BITS, FN(limbs) = LIMBS, FN(digits) = DIGITS, FN(row) = ROW };
static const uint64_t FN(prime52)[DIGITS] = PRIME52, FN(into)[LIMBS] = INTO;
static const uint64_t FN(entry)[LIMBS] = ENTER, FN(exit)[LIMBS] = LEAVE, FN(inverse)[LIMBS] = INVERSE;

/* ---- arithmetic ---- */

IFMA EC_INLINE void FN(mul)(__m512i *r, const __m512i *a, const __m512i *b) { MULTIPLY(r, a, b); }

/* The k-fold of p is added to keep differences positive. */
#define MULTIPLE(k, i) set1((k) * FN(prime52)[i])

/* r = a - b + 2p, tight; b is below 2p. */
IFMA EC_INLINE void FN(sub)(__m512i *r, const __m512i *a, const __m512i *b)
{
    EC_UNROLL for (int i = 0; i < DIGITS; i++) r[i] = add(sub(a[i], b[i]), MULTIPLE(2, i));
    carry(r, DIGITS);
}

/* Makes tight, and reduces from less than 16p to less than 2p: what stands above bit PRIME_BITS (but for a carry that is still to come,
 * which is why the number must be at least p) is folded down before the carries run. */
IFMA EC_INLINE void FN(settle)(__m512i *r)
{
    enum { top = PRIME_BITS - 52 * (DIGITS - 1) };
    __m512i h = sar(add(r[DIGITS - 1], sar(r[DIGITS - 2], 52)), top);
    r[DIGITS - 1] = sub(r[DIGITS - 1], shl(h, top));
    FOLD(r, h);
    carry(r, DIGITS);
}

/* ---- between vectors and 64-bit words ---- */

/* Digits out of words, for all lanes. */
IFMA EC_INLINE void FN(unpack)(__m512i *r, const __m512i *words)
{
    EC_UNROLL for (int i = 0; i < DIGITS; i++) {
        int at = 52 * i / 64, by = 52 * i % 64;
        __m512i digit = shr(words[at], by);
        if (by > 12 && at + 1 < LIMBS) digit = or(digit, shl(words[at + 1], 64 - by));
        r[i] = and(digit, set1(MASK52));
    }
}

/* One lane as a canonical number. */
static void FN(extract)(uint64_t *r, const fe v, int lane)
{
    uint64_t t[LIMBS + 1] = {0};
    for (int i = 0; i < DIGITS; i++) {
        uint64_t digit = ((const uint64_t *)v)[8 * i + lane];
        int at = 52 * i / 64, by = 52 * i % 64;
        t[at] |= digit << by;
        if (by > 12) t[at + 1] |= digit >> (64 - by);
    }
    reduce_once(r, t, t[LIMBS], ec_portable[NUMBER].prime, LIMBS);
}

static void FN(insert)(fe v, const uint64_t *x, int lane)
{
    for (int i = 0; i < DIGITS; i++) {
        int at = 52 * i / 64, by = 52 * i % 64;
        uint64_t digit = x[at] >> by;
        if (by > 12 && at + 1 < LIMBS) digit |= x[at + 1] << (64 - by);
        ((uint64_t *)v)[8 * i + lane] = digit & MASK52;
    }
}

static void FN(enter)(uint64_t *r, const uint64_t *x) { ec_portable[NUMBER].multiply(r, x, FN(entry)); }

static void FN(leave)(uint64_t *r, const uint64_t *x) { ec_portable[NUMBER].multiply(r, x, FN(exit)); }

static int FN(build)(ec_comb *comb, const uint64_t *params)
{
    const ec_ops *portable = &ec_portable[NUMBER];
    ec_comb plain = *comb;
    plain.ops = portable;
    plain.table = ec_alloc(comb->points * portable->row);
    int failed = plain.table ? portable->build(&plain, params) : -1;
    for (size_t k = 0; k < comb->points && !failed; k++) {
        const uint64_t *from = (const uint64_t *)plain.table + k * 2 * LIMBS;
        uint64_t *to = (uint64_t *)comb->table + k * ROW;
        portable->multiply(to, from, FN(into));
        portable->multiply(to + LIMBS, from + LIMBS, FN(into));
        memset(to + 2 * LIMBS, 0, (ROW - 2 * LIMBS) * sizeof *to);
    }
    free(plain.table);
    return failed;
}

/* ---- the comb ---- */

/* Groups of eight candidates; group g belongs to chain g % CHAINS, before[g] is the product of that chain up to it. */
#define CHAINS 2

typedef struct { fe *x, *y, *difference, *before; } FN(state);

/* The points that eight digits choose; those of a half table without regard to the sign of y. */
IFMA EC_INLINE void FN(lookup)(__m512i *words, const uint64_t *entries, __m512i index)
{
    uint64_t at[8] __attribute__((aligned(64)));
    _mm512_store_si512((void *)at, index);
    EC_UNROLL for (int b = 0; b < ROW / 8; b++) transpose8(words + 8 * b, entries + 8 * b, at, ROW);
}

IFMA EC_INLINE void FN(prefetch)(const uint64_t *entries, __m512i index)
{
    uint64_t at[8] __attribute__((aligned(64)));
    _mm512_store_si512((void *)at, index);
    EC_UNROLL for (int k = 0; k < 8; k++)
        EC_UNROLL for (int b = 0; b < ROW / 8; b++) __builtin_prefetch(entries + ROW * at[k] + 8 * b);
}

IFMA static void FN(start)(const FN(state) *s, const uint64_t *entries, const uint16_t *digits, size_t groups)
{
    for (size_t g = 0; g < groups; g++) {
        __m512i words[ROW];
        FN(lookup)(words, entries, load_digits(digits + 8 * g));
        FN(unpack)(s->x[g], words);
        FN(unpack)(s->y[g], words + LIMBS);
    }
}

IFMA static void FN(differences)(const FN(state) *s, const uint64_t *entries, const uint16_t *digits, int bits, size_t groups)
{
    for (size_t g = 0; g < groups; g++) {
        __m512i words[ROW], x[DIGITS];
        FN(prefetch)(entries, half_index(load_digits(digits + 8 * (g + 2)), bits));
        FN(lookup)(words, entries, half_index(load_digits(digits + 8 * g), bits));
        FN(unpack)(x, words);
        FN(sub)(x, x, s->x[g]);
        EC_UNROLL for (int i = 0; i < DIGITS; i++) s->difference[g][i] = x[i];
        FN(mul)(s->before[g + CHAINS], s->before[g], x);
    }
}

/* Inverts the products of the chains: first their own product in vectors, then its eight lanes one by one. */
IFMA static int FN(invert_chains)(fe inverse[CHAINS], const fe *before, size_t groups)
{
    const ec_ops *portable = &ec_portable[NUMBER];
    uint64_t lane[8][LIMBS], upto[9][LIMBS], all[LIMBS], t[LIMBS], any = 0;
    fe product;
    FN(mul)(product, before[groups], before[groups + 1]);
    for (int k = 0; k < 8; k++) {
        FN(extract)(lane[k], product, k);
        if (k) portable->multiply(upto[k], upto[k - 1], lane[k]);
        else memcpy(upto[k], lane[k], sizeof all);
    }
    for (int i = 0; i < LIMBS; i++) any |= upto[7][i];
    if (!any) return -3;
    portable->invert(all, upto[7]);
    for (int k = 7; k >= 0; k--) {
        if (k) portable->multiply(t, all, upto[k - 1]);
        else memcpy(t, all, sizeof all);
        portable->multiply(all, all, lane[k]);
        portable->multiply(t, t, FN(inverse));
        FN(insert)(product, t, k);
    }
    FN(mul)(inverse[groups % CHAINS], product, before[groups + 1]);
    FN(mul)(inverse[(groups + 1) % CHAINS], product, before[groups]);
    return 0;
}

/* The new x take the place of the differences. */
IFMA static void FN(additions)(const FN(state) *s, const uint64_t *entries, const uint16_t *digits, int bits, size_t groups,
                               fe inverse[CHAINS], int want_y)
{
    for (size_t g = groups; g-- > 0;) {
        __m512i words[ROW], ex[DIGITS], slope[DIGITS], t[DIGITS], digit = load_digits(digits + 8 * g);
        __m512i *chain = inverse[g % CHAINS], *x = s->x[g], *y = s->y[g], *sum = s->difference[g];
        __mmask8 plus = _mm512_test_epi64_mask(digit, set1((uint64_t)1 << (bits - 1)));
        FN(lookup)(words, entries, half_index(digit, bits));
        FN(unpack)(ex, words);
        FN(unpack)(slope, words + LIMBS);
        FN(mul)(t, chain, s->before[g]);
        FN(mul)(chain, chain, sum);
        EC_UNROLL for (int i = 0; i < DIGITS; i++) /* y or p - y of the entry, minus y, plus 2p */
            slope[i] = add(sub(_mm512_mask_sub_epi64(slope[i], (__mmask8)~plus, MULTIPLE(1, i), slope[i]), y[i]), MULTIPLE(2, i));
        carry(slope, DIGITS);
        FN(mul)(slope, slope, t);
        FN(mul)(t, slope, slope);
        EC_UNROLL for (int i = 0; i < DIGITS; i++) t[i] = add(sub(sub(t[i], x[i]), ex[i]), MULTIPLE(4, i));
        FN(settle)(t);
        EC_UNROLL for (int i = 0; i < DIGITS; i++) sum[i] = t[i];
        if (!want_y) continue;
        FN(sub)(t, x, t);
        FN(mul)(t, slope, t);
        EC_UNROLL for (int i = 0; i < DIGITS; i++) t[i] = add(sub(t[i], y[i]), MULTIPLE(3, i));
        FN(settle)(t);
        EC_UNROLL for (int i = 0; i < DIGITS; i++) y[i] = t[i];
    }
}

IFMA static int FN(run)(const ec_comb *comb, const uint16_t *digits, size_t count, void *scratch, uint64_t *xs, uint64_t *ys)
{
    const uint64_t *table = comb->table;
    size_t groups = (count + 7) / 8; /* what fills up the last group is whatever digits stand there */
    fe *space = scratch, inverse[CHAINS], unit;
    FN(state) s = {space, space + groups, space + 2 * groups, space + 3 * groups};
    for (int k = 0; k < 8; k++) FN(insert)(unit, FN(into), k);
    FN(start)(&s, table, digits, groups);
    for (int i = 1; i < comb->windows; i++) {
        const uint16_t *window = digits + (size_t)i * EC_BATCH;
        const uint64_t *entries = table + ec_window_start(comb, i) * ROW;
        for (int k = 0; k < CHAINS; k++) memcpy(s.before[k], unit, sizeof unit);
        FN(differences)(&s, entries, window, comb->bits, groups);
        if (FN(invert_chains)(inverse, (const fe *)s.before, groups)) return -3;
        FN(additions)(&s, entries, window, comb->bits, groups, inverse, ys || i + 1 < comb->windows);
        fe *old = s.x;
        s.x = s.difference;
        s.difference = old;
    }
    for (size_t c = 0; c < count; c++) {
        FN(extract)(xs + c * LIMBS, s.x[c / 8], c % 8);
        if (ys) FN(extract)(ys + c * LIMBS, s.y[c / 8], c % 8);
    }
    return 0;
}

#define EC_OPS(name, number) \
    [number] = {name##_limbs, name##_bits, 8 * name##_row, 4 * 8 * name##_digits, name##_build, name##_run, \
                name##_enter, name##_leave, NULL, NULL, NULL}

#undef fe
#undef FIELD
#undef NUMBER
#undef LIMBS
#undef DIGITS
#undef BITS
#undef PRIME_BITS
#undef PRIME52
#undef MULTIPLY
#undef FOLD
#undef INTO
#undef ENTER
#undef LEAVE
#undef INVERSE
