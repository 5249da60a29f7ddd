/* Template: arithmetic of one field, the table of multiples and the comb over it. Included once per field, with
 *   FIELD     name, part of every function's name      LIMBS   64-bit limbs
 *   REDUCE    function of ec_reduce.h                  PRIME, UNIT, ENTER   limbs of p, of 1 in the field's own
 *   BITS      scalars are below 2^BITS                         representation, and of what multiplication enters it
 *
 * Everything is affine: an addition is 5 multiplications and a squaring when one inversion serves a whole batch (Montgomery's
 * trick; P. L. Montgomery, Math. Comp. 48 (1987), section 10.3.4), fewer than in any projective form, and its formula does not
 * know the coefficients of the curve. An addition fails for points with equal x. It cannot happen here: every sum
 * that is formed has the form u*G + B + v*G or is one of two small multiples of G, and u*G + B = +-v*G would be B's logarithm.
 * It is checked all the same, once per batch.
 */

#define CAT_(a, b) a##_##b
#define CAT(a, b) CAT_(a, b)
#define FN(name) CAT(FIELD, name)

typedef uint64_t FN(fe)[LIMBS];
typedef struct { FN(fe) x, y; } FN(point);
#define fe FN(fe)
#define point FN(point)

enum { FN(bits) = BITS };
static const fe FN(prime) = PRIME, FN(unit) = UNIT, FN(entry) = ENTER, FN(one) = {1}, FN(zero) = {0};

/* All results may be stored over an operand. Elements are passed by address and never assigned as a whole: a copy through
 * vector registers right behind the stores of single limbs stalls the processor. */

EC_INLINE void FN(mul)(uint64_t *r, const uint64_t *a, const uint64_t *b)
{
    uint64_t t[2 * LIMBS];
    mul_wide(t, a, b, LIMBS);
    REDUCE(r, t, FN(prime));
}

EC_INLINE void FN(sub)(uint64_t *r, const uint64_t *a, const uint64_t *b)
{
    uint64_t t[LIMBS], borrow = 0, carry = 0;
    EC_UNROLL for (int i = 0; i < LIMBS; i++) t[i] = sbb(a[i], b[i], &borrow);
    uint64_t mask = 0 - borrow;
    EC_UNROLL for (int i = 0; i < LIMBS; i++) r[i] = adc(t[i], FN(prime)[i] & mask, &carry);
}

/* -a if negate is all ones, a if it is zero; a is not zero. */
EC_INLINE void FN(negate_if)(uint64_t *r, const uint64_t *a, uint64_t negate)
{
    uint64_t borrow = 0;
    EC_UNROLL for (int i = 0; i < LIMBS; i++) {
        uint64_t n = sbb(FN(prime)[i], a[i], &borrow);
        r[i] = (n & negate) | (a[i] & ~negate);
    }
}

static int FN(is_zero)(const uint64_t *a)
{
    uint64_t any = 0;
    for (int i = 0; i < LIMBS; i++) any |= a[i];
    return any == 0;
}

/* Six or more limbs do not fit into the registers anyhow, and inlined gcc spills them badly: a call is twice as fast. */
#if LIMBS == 4
#define HOT mul
#else
#define HOT times
#endif

static __attribute__((noinline)) void FN(times)(uint64_t *r, const uint64_t *a, const uint64_t *b) { FN(mul)(r, a, b); }

static void FN(twice)(uint64_t *r, const uint64_t *a)
{
    fe minus;
    FN(sub)(minus, FN(zero), a);
    FN(sub)(r, a, minus);
}

/* a^(p-2), four bits of the exponent at a time. */
static void FN(invert)(uint64_t *r, const uint64_t *a)
{
    fe power[16], t;
    memcpy(power[0], FN(unit), sizeof t);
    memcpy(t, FN(unit), sizeof t);
    for (int i = 1; i < 16; i++) FN(times)(power[i], power[i - 1], a);
    for (int i = 16 * LIMBS - 1; i >= 0; i--) {
        uint64_t limb = FN(prime)[i / 16] - (i < 16 ? 2 : 0);
        for (int k = 0; k < 4; k++) FN(times)(t, t, t);
        FN(times)(t, t, power[(limb >> (4 * (i % 16))) & 15]);
    }
    memcpy(r, t, sizeof t);
}

static void FN(enter)(uint64_t *r, const uint64_t *x) { FN(times)(r, x, FN(entry)); }

static void FN(leave)(uint64_t *r, const uint64_t *x) { FN(times)(r, x, FN(one)); }

/* ---- the table ---- */

/* Sums of pairs of points, collected until one inversion serves many. */
typedef struct {
    int failed;
    size_t count;
    struct { const point *a, *b; point *sum; } job[EC_BATCH];
    fe before[EC_BATCH + 1]; /* product of the differences in front of this one */
} FN(queue);

static void FN(flush)(FN(queue) *queue)
{
    fe difference, inverse, slope, t;
    memcpy(queue->before[0], FN(unit), sizeof t);
    for (size_t k = 0; k < queue->count; k++) {
        FN(sub)(difference, queue->job[k].b->x, queue->job[k].a->x);
        FN(times)(queue->before[k + 1], queue->before[k], difference);
    }
    queue->failed |= FN(is_zero)(queue->before[queue->count]);
    FN(invert)(inverse, queue->before[queue->count]);
    for (size_t k = queue->count; k-- > 0;) {
        const point *a = queue->job[k].a, *b = queue->job[k].b;
        point *sum = queue->job[k].sum; /* neither a nor b */
        FN(sub)(difference, b->x, a->x);
        FN(times)(t, inverse, queue->before[k]);
        FN(times)(inverse, inverse, difference);
        FN(sub)(slope, b->y, a->y);
        FN(times)(slope, slope, t);
        FN(times)(t, slope, slope);
        FN(sub)(t, t, a->x);
        FN(sub)(sum->x, t, b->x);
        FN(sub)(t, a->x, sum->x);
        FN(times)(t, slope, t);
        FN(sub)(sum->y, t, a->y);
    }
    queue->count = 0;
}

static void FN(push)(FN(queue) *queue, const point *a, const point *b, point *sum)
{
    queue->job[queue->count].a = a;
    queue->job[queue->count].b = b;
    queue->job[queue->count].sum = sum;
    if (++queue->count == EC_BATCH) FN(flush)(queue);
}

/* From (x, y, z) to the double, in Jacobian coordinates. */
static void FN(double_once)(point *r, uint64_t *rz, const point *q, const uint64_t *z, const uint64_t *a)
{
    fe t, yy, slope, s;
    FN(times)(t, z, z);
    FN(times)(t, t, t);
    FN(times)(t, a, t);
    FN(sub)(t, FN(zero), t);
    FN(times)(s, q->x, q->x);
    FN(twice)(slope, s);
    FN(sub)(t, t, s);
    FN(sub)(slope, slope, t); /* 3x^2 + a*z^4 */
    FN(times)(yy, q->y, q->y);
    FN(twice)(yy, yy);
    FN(times)(s, q->x, yy);
    FN(twice)(s, s); /* 4xy^2 */
    FN(times)(rz, q->y, z);
    FN(twice)(rz, rz);
    FN(times)(t, slope, slope);
    FN(sub)(t, t, s);
    FN(sub)(r->x, t, s);
    FN(sub)(t, s, r->x);
    FN(times)(t, slope, t);
    FN(times)(yy, yy, yy);
    FN(twice)(yy, yy);
    FN(sub)(r->y, t, yy);
}

/* doubles[k] = 2^k*G for k < count, where doubles[0] is given; z is room for 2*count + 1 elements. */
static void FN(doublings)(point *doubles, fe *z, const uint64_t *a, int count)
{
    fe *before = z + count, inverse, t, cube;
    memcpy(z[0], FN(unit), sizeof t);
    memcpy(before[0], FN(unit), sizeof t);
    for (int k = 1; k < count; k++) FN(double_once)(&doubles[k], z[k], &doubles[k - 1], z[k - 1], a);
    for (int k = 0; k < count; k++) FN(times)(before[k + 1], before[k], z[k]);
    FN(invert)(inverse, before[count]);
    for (int k = count - 1; k >= 0; k--) {
        FN(times)(t, inverse, before[k]);
        FN(times)(inverse, inverse, z[k]);
        FN(times)(cube, t, t);
        FN(times)(doubles[k].x, doubles[k].x, cube);
        FN(times)(cube, cube, t);
        FN(times)(doubles[k].y, doubles[k].y, cube);
    }
}

/* Each level doubles what is there: entry 2^k + j is entry j plus 2^(k+1) times the window's base. */
static void FN(fill)(const ec_comb *comb, FN(queue) *queue, const point *doubles, const point *blind)
{
    point *table = comb->table, minus = doubles[comb->bits], first;
    FN(sub)(minus.y, FN(zero), minus.y);
    FN(push)(queue, blind, &doubles[0], &first);
    FN(flush)(queue);
    FN(push)(queue, &first, &minus, &table[0]); /* (1 - 2^bits)*G + B */
    FN(flush)(queue);
    for (int i = 1; i < comb->windows; i++) table[ec_window_start(comb, i)] = doubles[i * comb->bits];
    for (int k = 0; k < comb->bits; k++) {
        size_t have = (size_t)1 << k;
        for (int i = 0; i < (k < comb->bits - 1 ? comb->windows : 1); i++) {
            point *entry = table + ec_window_start(comb, i);
            const point *step = &doubles[i * comb->bits + k + 1];
            for (size_t j = 0; j < have; j++) FN(push)(queue, &entry[j], step, &entry[have + j]);
        }
        FN(flush)(queue);
    }
}

static int FN(build)(ec_comb *comb, const uint64_t *params)
{
    int count = comb->bits * comb->windows, failed = -1;
    FN(queue) *queue = ec_alloc(sizeof *queue);
    point *doubles = ec_alloc(count * sizeof *doubles), blind;
    fe *z = ec_alloc((2 * count + 1) * sizeof *z), a;
    if (queue && doubles && z) {
        queue->count = 0;
        queue->failed = 0;
        FN(enter)(a, params);
        FN(enter)(doubles[0].x, params + LIMBS);
        FN(enter)(doubles[0].y, params + 2 * LIMBS);
        FN(enter)(blind.x, params + 3 * LIMBS);
        FN(enter)(blind.y, params + 4 * LIMBS);
        FN(doublings)(doubles, z, a, count);
        FN(fill)(comb, queue, doubles, &blind);
        failed = queue->failed ? -3 : 0;
    }
    free(queue);
    free(doubles);
    free(z);
    return failed;
}

/* ---- the comb ---- */

/* The products of the differences run in several chains, candidate c in chain c % CHAINS: in a single one every
 * multiplication would wait for the one before it. before[c] is the product of the chain up to candidate c. */
#define CHAINS 4

typedef struct { fe *x, *y, *difference, *before; } FN(state);

EC_INLINE const point *FN(chosen)(const point *entries, unsigned digit, int bits)
{
    return entries + ec_half_index(digit, bits);
}

static void FN(differences)(const FN(state) *s, const point *entries, const uint16_t *digits, int bits, size_t count)
{
    for (size_t c = 0; c < CHAINS; c++) memcpy(s->before[c], FN(unit), sizeof(fe));
    for (size_t c = 0; c < count; c++) {
        __builtin_prefetch(FN(chosen)(entries, digits[c + 12], bits));
        FN(sub)(s->difference[c], FN(chosen)(entries, digits[c], bits)->x, s->x[c]);
        FN(HOT)(s->before[c + CHAINS], s->before[c], s->difference[c]);
    }
}

/* From the products of the whole chains, in order of candidate number modulo CHAINS, to their inverses. */
static int FN(invert_chains)(fe inverse[CHAINS], const fe *before, size_t count)
{
    fe upto[CHAINS + 1], all;
    memcpy(upto[0], FN(unit), sizeof all);
    for (size_t k = 0; k < CHAINS; k++) FN(times)(upto[k + 1], upto[k], before[count + k]);
    if (FN(is_zero)(upto[CHAINS])) return -3;
    FN(invert)(all, upto[CHAINS]);
    for (size_t k = CHAINS; k-- > 0;) {
        FN(times)(inverse[(count + k) % CHAINS], all, upto[k]);
        FN(times)(all, all, before[count + k]);
    }
    return 0;
}

/* The new x take the place of the differences. */
static void FN(additions)(const FN(state) *s, const point *entries, const uint16_t *digits, int bits, size_t count,
                          fe inverse[CHAINS], int want_y)
{
    for (size_t c = count; c-- > 0;) {
        const point *entry = FN(chosen)(entries, digits[c], bits);
        uint64_t negate = (uint64_t)(digits[c] >> (bits - 1)) - 1, *chain = inverse[c % CHAINS];
        fe slope, t;
        FN(HOT)(t, chain, s->before[c]);
        FN(HOT)(chain, chain, s->difference[c]);
        FN(negate_if)(slope, entry->y, negate);
        FN(sub)(slope, slope, s->y[c]);
        FN(HOT)(slope, slope, t);
        FN(HOT)(t, slope, slope);
        FN(sub)(t, t, s->x[c]);
        FN(sub)(s->difference[c], t, entry->x);
        if (!want_y) continue;
        FN(sub)(t, s->x[c], s->difference[c]);
        FN(HOT)(t, slope, t);
        FN(sub)(s->y[c], t, s->y[c]);
    }
}

static int FN(run)(const ec_comb *comb, const uint16_t *digits, size_t count, void *scratch, uint64_t *xs, uint64_t *ys)
{
    const point *table = comb->table;
    fe *space = scratch, inverse[CHAINS];
    FN(state) s = {space, space + count, space + 2 * count, space + 3 * count};
    for (size_t c = 0; c < count; c++) {
        memcpy(s.x[c], table[digits[c]].x, sizeof(fe));
        memcpy(s.y[c], table[digits[c]].y, sizeof(fe));
    }
    for (int i = 1; i < comb->windows; i++) {
        const uint16_t *window = digits + (size_t)i * EC_BATCH;
        const point *entries = table + ec_window_start(comb, i);
        FN(differences)(&s, entries, window, comb->bits, count);
        if (FN(invert_chains)(inverse, (const fe *)s.before, count)) return -3;
        FN(additions)(&s, entries, window, comb->bits, count, inverse, ys || i + 1 < comb->windows);
        fe *old = s.x;
        s.x = s.difference;
        s.difference = old;
    }
    memcpy(xs, s.x, count * sizeof(fe));
    if (ys) memcpy(ys, s.y, count * sizeof(fe));
    return 0;
}

#define EC_OPS(name) \
    {sizeof(name##_fe) / 8, name##_bits, sizeof(name##_point), 4 * sizeof(name##_fe), \
     name##_build, name##_run, name##_enter, name##_leave, name##_times, name##_invert, name##_prime}

#undef fe
#undef HOT
#undef point
#undef FIELD
#undef LIMBS
#undef REDUCE
#undef PRIME
#undef UNIT
#undef ENTER
#undef BITS
