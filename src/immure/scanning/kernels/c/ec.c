/* The search: combs, sets of known points, and the loop over the candidates. */
#include <stdlib.h>

#include "ec_internal.h"

void *ec_alloc(size_t bytes) { return aligned_alloc(64, (bytes / 64 + 1) * 64); }

int ec_limbs(int field) { return field < 0 || field >= EC_FIELDS ? -1 : ec_portable[field].limbs; }

int64_t ec_batch(void) { return EC_BATCH; }

/* ---- combs ---- */

static int set_offset(ec_comb *comb)
{
    uint16_t *digits = calloc((size_t)comb->windows * EC_BATCH + 64, sizeof *digits);
    void *scratch = ec_alloc(64 * comb->ops->scratch);
    uint64_t xy[2 * EC_MAX_LIMBS];
    int limbs = comb->ops->limbs, failed = -1;
    if (digits && scratch) failed = comb->ops->run(comb, digits, 1, scratch, xy, xy + limbs);
    if (!failed) {
        comb->ops->leave(comb->offset, xy);
        comb->ops->leave(comb->offset + limbs, xy + limbs);
    }
    free(digits);
    free(scratch);
    return failed;
}

ec_comb *ec_comb_new(int field, int isa, int bits, const uint64_t *params)
{
    if (field < 0 || field >= EC_FIELDS || bits < EC_MIN_BITS || bits > EC_MAX_BITS) return NULL;
    if (isa < 0 || isa > ec_has_ifma()) return NULL;
    ec_comb *comb = calloc(1, sizeof *comb);
    if (!comb) return NULL;
    comb->ops = isa ? &ec_ifma[field] : &ec_portable[field];
    comb->field = field;
    comb->bits = bits;
    comb->windows = (comb->ops->scalar_bits + bits - 1) / bits;
    comb->points = ec_window_start(comb, comb->windows);
    comb->table = ec_alloc(comb->points * comb->ops->row);
    if (comb->table && !comb->ops->build(comb, params) && !set_offset(comb)) return comb;
    ec_comb_free(comb);
    return NULL;
}

void ec_comb_free(ec_comb *comb)
{
    if (comb) free(comb->table);
    free(comb);
}

int64_t ec_comb_bytes(const ec_comb *comb) { return (int64_t)(comb->points * comb->ops->row); }

void ec_comb_offset(const ec_comb *comb, uint64_t *xy)
{
    memcpy(xy, comb->offset, 2 * sizeof *xy * comb->ops->limbs);
}

/* ---- the set of known x coordinates: open addressing on the lowest limb, at most a quarter full ---- */

struct ec_known {
    int limbs;
    uint64_t mask;
    uint64_t *xs;   /* in the comb's representation */
    uint32_t *slot; /* index into xs plus one, 0 if empty */
};

/* The limb is spread by Fibonacci hashing: the points come from outside. */
static uint64_t slot_of(const ec_known *known, uint64_t limb) { return (limb * 0x9e3779b97f4a7c15) >> 20 & known->mask; }

ec_known *ec_known_new(const ec_comb *comb, const uint64_t *xs, int64_t count)
{
    ec_known *known = calloc(1, sizeof *known);
    if (!known || count < 0 || count > (1 << 28)) return free(known), NULL;
    known->limbs = comb->ops->limbs;
    known->mask = 63;
    while (known->mask < 4 * (uint64_t)count) known->mask = 2 * known->mask + 1;
    known->xs = malloc((count + 1) * known->limbs * sizeof *xs);
    known->slot = calloc(known->mask + 1, sizeof *known->slot);
    if (!known->xs || !known->slot) return ec_known_free(known), NULL;
    for (int64_t i = 0; i < count; i++) {
        uint64_t *x = known->xs + i * known->limbs;
        comb->ops->enter(x, xs + i * known->limbs);
        uint64_t at = slot_of(known, x[0]);
        while (known->slot[at]) at = (at + 1) & known->mask;
        known->slot[at] = (uint32_t)(i + 1);
    }
    return known;
}

void ec_known_free(ec_known *known)
{
    if (!known) return;
    free(known->xs);
    free(known->slot);
    free(known);
}

static int64_t find(const ec_known *known, const uint64_t *x)
{
    for (uint64_t at = slot_of(known, x[0]); known->slot[at]; at = (at + 1) & known->mask) {
        int64_t index = known->slot[at] - 1;
        if (!memcmp(known->xs + index * known->limbs, x, known->limbs * sizeof *x)) return index;
    }
    return -1;
}

/* ---- the search ---- */

typedef struct {
    const uint8_t *buffer;
    const int64_t *offsets;
    int64_t count, next;
    int layout, kind;
} source;

typedef struct {
    size_t count;
    uint16_t *digits;
    void *scratch;
    uint64_t *xs;
    int64_t candidate[EC_BATCH];
} batch;

static void put(batch *b, const ec_comb *comb, const uint64_t *scalar, int64_t candidate)
{
    ec_digits(b->digits + b->count, scalar, comb);
    b->candidate[b->count++] = candidate;
}

/* Eight seeds of 25519 at once; a short rest is filled up by repeating the last. */
static void take_seeds(batch *b, const ec_comb *comb, source *from)
{
    const uint8_t *messages[8];
    uint8_t digests[8][64];
    uint64_t scalar[EC_MAX_LIMBS + 2];
    int64_t left = from->count - from->next, lanes = left < 8 ? left : 8;
    for (int64_t i = 0; i < 8; i++)
        messages[i] = from->buffer + from->offsets[from->next + (i < lanes ? i : lanes - 1)];
    ec_sha512_32x8(messages, digests);
    for (int64_t i = 0; i < lanes; i++) {
        ec_load(scalar, digests[i], comb->field, EC_LE, EC_CLAMPED);
        put(b, comb, scalar, from->next + i);
    }
    from->next += lanes;
    ec_wipe(digests, sizeof digests);
    ec_wipe(scalar, sizeof scalar);
}

static void fill(batch *b, const ec_comb *comb, source *from)
{
    uint64_t scalar[EC_MAX_LIMBS + 2];
    b->count = 0;
    if (from->kind == EC_SEED && comb->field == EC_25519) {
        while (from->next < from->count && b->count + 8 <= EC_BATCH) take_seeds(b, comb, from);
        return;
    }
    for (; from->next < from->count && b->count < EC_BATCH; from->next++)
        if (ec_load(scalar, from->buffer + from->offsets[from->next], comb->field, from->layout, from->kind))
            put(b, comb, scalar, from->next);
    ec_wipe(scalar, sizeof scalar);
}

/* Returns the number of pairs, or an error. */
static int64_t search(const ec_comb *comb, const ec_known *known, source *from, batch *b, int64_t *hits, int64_t capacity)
{
    int64_t found = 0;
    while (from->next < from->count && capacity - found >= EC_BATCH) {
        fill(b, comb, from);
        if (!b->count) continue;
        int failed = comb->ops->run(comb, b->digits, b->count, b->scratch, b->xs, NULL);
        if (failed) return failed;
        for (size_t c = 0; c < b->count; c++) {
            int64_t index = find(known, b->xs + c * comb->ops->limbs);
            if (index < 0) continue;
            hits[2 * found] = b->candidate[c];
            hits[2 * found++ + 1] = index;
        }
    }
    return found;
}

int64_t ec_search(const ec_comb *comb, const ec_known *known, const uint8_t *buffer, int64_t size,
                  const int64_t *offsets, int64_t count, int layout, int kind,
                  int64_t *hits, int64_t capacity, int64_t *done)
{
    int64_t width = ec_width(comb->field, layout, kind), found = -1;
    *done = 0;
    if (width < 0 || count < 0 || capacity < EC_BATCH) return -2;
    for (int64_t i = 0; i < count; i++)
        if (offsets[i] < 0 || offsets[i] > size - width) return -2;
    /* Rounded up to whole vectors of candidates, and somewhat more for reads ahead. */
    size_t most = (size_t)(count < EC_BATCH ? count : EC_BATCH) / 64 * 64 + 128;
    size_t digit_bytes = ((size_t)comb->windows * EC_BATCH + 64) * sizeof(uint16_t);
    size_t scratch_bytes = most * comb->ops->scratch, x_bytes = most * comb->ops->limbs * sizeof(uint64_t);
    source from = {buffer, offsets, count, 0, layout, kind};
    batch *b = malloc(sizeof *b);
    if (b) {
        b->digits = calloc(1, digit_bytes);
        b->scratch = ec_alloc(scratch_bytes);
        b->xs = ec_alloc(x_bytes);
        if (b->digits && b->scratch && b->xs) {
            found = search(comb, known, &from, b, hits, capacity);
            ec_wipe(b->digits, digit_bytes);
            ec_wipe(b->scratch, scratch_bytes);
            ec_wipe(b->xs, x_bytes);
            *done = from.next;
        }
        free(b->digits);
        free(b->scratch);
        free(b->xs);
    }
    free(b);
    return found;
}
