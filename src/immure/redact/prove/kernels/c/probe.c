/* Every part of known byte strings in an image, found by windows of eight bytes: a few of each string, at every byte of the image.
 *
 * A part of L bytes holds L - 7 windows side by side. So windows of a string are put into the table until no L - 7 of them in a row are left out:
 * with L = 15 that is every eighth. A window that would not be looked at in the image (zeros, plain text: see worth_probing) gives way to one
 * of its neighbours. */
#include "probe_internal.h"

enum { MAX_LENGTH = 1 << 23, MAX_TOTAL = 1 << 28 };

/* --- which windows of a needle go into the table ------------------------------------------------------------------------------ */

enum { NEVER = 0, PLAIN_TEXT = 1, BRIGHT = 2 }; /* how a window is rated */
enum { FILLER = 1, WORD = 2 };                  /* why it was chosen */

/* How the windows of a needle would be met in an image, by the very rule by which one goes through the image. */
static void rate(const uint8_t *bytes, size_t windows, uint8_t *rating) {
    for (size_t at = 0; at < windows; at += WINDOWS) {
        uint8_t block[BLOCK] = {0};
        size_t left = windows + WINDOW - 1 - at;
        kinds k;
        memcpy(block, bytes + at, left < BLOCK ? left : BLOCK);
        kinds_plain(block, &k);
        wipe(block, BLOCK);
        uint64_t bright = worth_probing(&k, 0), any = worth_probing(&k, 1);
        for (size_t i = 0; i < WINDOWS && at + i < windows; i++)
            rating[at + i] = bright >> i & 1 ? BRIGHT : any >> i & 1 ? PLAIN_TEXT : NEVER;
    }
}

/* The last window in [from, to) of the best rating; `to` if all are NEVER. */
static size_t best_window(const uint8_t *rating, size_t from, size_t to) {
    size_t best = to;
    for (size_t at = from; at < to; at++)
        if (rating[at] != NEVER && (best == to || rating[at] >= rating[best])) best = at;
    return best;
}

static size_t last_chosen(const uint8_t *chosen, size_t from, size_t to) {
    for (size_t at = to; at > from; at--)
        if (chosen[at - 1]) return at - 1;
    return to;
}

static void choose(prober *s, size_t needle, uint8_t *rating) {
    size_t windows = s->start[needle + 1] - s->start[needle] - WINDOW + 1, row = s->least[needle] - WINDOW + 1;
    uint8_t *chosen = s->chosen + s->start[needle];
    int bare = 0;
    rate(s->bytes + s->start[needle], windows, rating);
    for (size_t at = 0; s->by_words[needle] && at < windows; at += WINDOW) {
        const uint8_t *word = s->bytes + s->start[needle] + at;
        int bright = rating[at] == BRIGHT, zeros = 0;
        for (int i = 0; i < WINDOW; i++) zeros += word[i] == 0;
        if (bright) chosen[at] = WORD;
        s->facts[2] += (uint64_t)bright;
        s->facts[3] += (uint64_t)(!bright && zeros < WINDOW / 2);
    }
    for (size_t from = 0; from + row <= windows;) {
        size_t to = from + row, at = last_chosen(chosen, from, to);
        if (at == to && (at = best_window(rating, from, to)) == to) {
            bare = 1;
            from++;
            continue;
        }
        if (!chosen[at]) chosen[at] = FILLER;
        s->probe_prose |= rating[at] == PLAIN_TEXT;
        from = at + 1; /* every row that begins before this holds the window */
    }
    s->facts[1] += (uint64_t)bare;
}

/* --- the table ---------------------------------------------------------------------------------------------------------------- */

static size_t place_of(const prober *s, uint64_t window) {
    uint64_t hash = window * SPREAD;
    return (size_t)(hash ^ hash >> 31) & (s->slot_count - 1);
}

static void insert(prober *s, uint32_t needle, uint32_t at) {
    uint64_t window = window_at(s->bytes + s->start[needle] + at), hash = window * SPREAD;
    size_t place = place_of(s, window);
    while (s->slots[place].needle) place = (place + 1) & (s->slot_count - 1);
    s->slots[place] = (slot){window, needle + 1, at};
    s->filter[hash >> s->filter_shift] |= filter_mark(hash);
}

static int make_table(prober *s) {
    size_t windows = 0;
    for (size_t i = 0; i < s->total; i++) windows += s->chosen[i] != 0;
    unsigned bits = 8; /* of the filter's length in words: at least one word for each window, up to 8 MiB */
    while (bits < 20 && 1ull << bits < windows) bits++;
    for (s->slot_count = 64; s->slot_count < 2 * windows;) s->slot_count *= 2;
    s->filter_shift = 64 - bits;
    s->filter_words = 1ull << bits;
    s->filter = calloc(s->filter_words, sizeof *s->filter);
    s->slots = calloc(s->slot_count, sizeof *s->slots);
    if (!s->filter || !s->slots) return 0;
    for (uint32_t needle = 0; needle < s->count; needle++)
        for (uint32_t i = s->start[needle]; i < s->start[needle + 1]; i++)
            if (s->chosen[i]) insert(s, needle, i - s->start[needle]);
    s->facts[0] = windows;
    s->facts[4] = (uint64_t)s->probe_prose;
    return 1;
}

void prober_free(prober *s) {
    if (!s) return;
    if (s->bytes) wipe(s->bytes, s->total);
    if (s->filter) wipe(s->filter, s->filter_words * sizeof *s->filter);
    if (s->slots) wipe(s->slots, s->slot_count * sizeof *s->slots);
    free(s->bytes), free(s->filter), free(s->slots);
    free(s->start), free(s->least), free(s->by_words), free(s->chosen);
    free(s);
}

static int take(prober *s, const uint8_t *needles, const uint32_t *lengths, const uint32_t *least, const uint8_t *by_words) {
    s->bytes = malloc(s->total + 1);
    s->chosen = calloc(s->total + 1, 1);
    s->start = calloc(s->count + 1, sizeof *s->start);
    s->least = calloc(s->count + 1, sizeof *s->least);
    s->by_words = calloc(s->count + 1, 1);
    if (!s->bytes || !s->chosen || !s->start || !s->least || !s->by_words) return 0;
    memcpy(s->bytes, needles, s->total);
    for (size_t i = 0; i < s->count; i++) {
        s->start[i + 1] = s->start[i] + lengths[i];
        s->least[i] = least[i];
        s->by_words[i] = by_words[i];
    }
    return 1;
}

prober *prober_new(const uint8_t *needles, const uint32_t *lengths, const uint32_t *least, const uint8_t *by_words, size_t count) {
    prober *s = calloc(1, sizeof *s);
    uint8_t *rating = NULL;
    size_t longest = 1;
    if (!s) goto fail;
    s->count = count;
    for (size_t i = 0; i < count; i++) {
        if (least[i] < WINDOW || least[i] > lengths[i] || lengths[i] > MAX_LENGTH) goto fail;
        if ((s->total += lengths[i]) > MAX_TOTAL) goto fail;
        if (longest < lengths[i]) longest = lengths[i];
    }
    if (!(rating = malloc(longest))) goto fail;
    if (!take(s, needles, lengths, least, by_words)) goto fail;
    for (size_t i = 0; i < count; i++) choose(s, i, rating);
    if (!make_table(s)) goto fail;
    free(rating);
    return s;
fail:
    free(rating);
    if (s && !s->bytes) s->total = 0;
    prober_free(s);
    return NULL;
}

void prober_facts(const prober *s, uint64_t *facts) { memcpy(facts, s->facts, sizeof s->facts); }

/* --- the search ---------------------------------------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *buf;
    int64_t nbytes, from;
    int64_t *out;
    size_t count, cap;
} search;

static int counts(const prober *s, uint32_t needle, int64_t at, int64_t length) {
    if (length >= s->least[needle]) return 1;
    const uint8_t *chosen = s->chosen + s->start[needle];
    for (int64_t word = (at + WINDOW - 1) / WINDOW * WINDOW; word + WINDOW <= at + length; word += WINDOW)
        if (chosen[word] == WORD) return 1;
    return 0;
}

/* Extends an agreement of one window both ways and writes it, unless an earlier window of the same agreement did so. 0: no room. */
static int extend(search *f, const prober *s, const slot *hit, int64_t at) {
    uint32_t needle = hit->needle - 1;
    const uint8_t *bytes = s->bytes + s->start[needle], *chosen = s->chosen + s->start[needle];
    int64_t length = s->start[needle + 1] - s->start[needle], left = 0, right = WINDOW;
    while (left < at && left < hit->at && f->buf[at - left - 1] == bytes[hit->at - left - 1]) {
        left++;
        if (chosen[hit->at - left] && at - left >= f->from) return 1;
    }
    while (at + right < f->nbytes && hit->at + right < length && f->buf[at + right] == bytes[hit->at + right]) right++;
    if (!counts(s, needle, hit->at - left, left + right)) return 1;
    if (f->count == f->cap) return 0;
    int64_t *out = f->out + 4 * f->count++;
    out[0] = needle;
    out[1] = at - left;
    out[2] = hit->at - left;
    out[3] = left + right;
    return 1;
}

/* All agreements at one window; 0 if there is no room for all of them (then none is kept). */
static int look_up(search *f, const prober *s, int64_t at) {
    uint64_t window = window_at(f->buf + at);
    size_t before = f->count;
    for (size_t place = place_of(s, window); s->slots[place].needle; place = (place + 1) & (s->slot_count - 1)) {
        if (s->slots[place].window == window && !extend(f, s, &s->slots[place], at)) {
            f->count = before;
            return 0;
        }
    }
    return 1;
}

/* The windows that pass in the block at *at, or in the first one behind it that has any; *at moves there. */
static uint64_t look_on(const prober *s, const uint8_t *buf, size_t nbytes, size_t *at, size_t to) {
    uint64_t passing = 0;
    if (*at + BLOCK <= nbytes) {
        size_t last = nbytes - BLOCK < to - 1 ? nbytes - BLOCK : to - 1;
        *at = next_passing(s, buf, *at, last, &passing);
        return passing;
    }
    uint8_t block[BLOCK] = {0};
    memcpy(block, buf + *at, nbytes - *at);
    passing = passing_in_block(s, block);
    wipe(block, BLOCK);
    return passing;
}

size_t prober_find(const prober *s, const uint8_t *buf, size_t nbytes, size_t from, size_t to, int64_t *out, size_t cap,
                   size_t *resume) {
    search f = {buf, (int64_t)nbytes, (int64_t)from, out, 0, cap};
    size_t stop = nbytes < WINDOW ? 0 : nbytes - WINDOW + 1, at = *resume;
    if (stop > to) stop = to;
    while (at < stop) {
        size_t before = at;
        uint64_t passing = look_on(s, buf, nbytes, &at, stop);
        if (!passing && at > before) continue;
        for (; passing; passing &= passing - 1) {
            size_t place = at + (size_t)__builtin_ctzll(passing);
            if (place < stop && !look_up(&f, s, (int64_t)place)) {
                *resume = place;
                return f.count;
            }
        }
        at += WINDOWS;
    }
    *resume = to;
    return f.count;
}

size_t bytes_differ(const uint8_t *one, const uint8_t *other, size_t n, size_t *first) {
    size_t count = 0, at = 0;
    *first = n;
    while (at < n) {
        size_t step = n - at < 4096 ? n - at : 4096;
        if (memcmp(one + at, other + at, step) != 0) {
            for (size_t i = at; i < at + step; i++) {
                if (one[i] == other[i]) continue;
                if (!count++) *first = i;
            }
        }
        at += step;
    }
    return count;
}
