/* The native half of the prover. Read by the C compiler and, as it stands, by cffi: declarations only, no directives.
 *
 * Written on its own: it shares no code, table or idea of alignment with the kernels that search an image for keys. Nothing here keeps state
 * between calls, so any number of threads may use one prober. */

typedef struct prober prober;

/* needles: concatenated byte strings of 8 bytes or more; least[i]: the shortest part of needle i that counts (8 or more, at most its length);
 * by_words[i]: parts below that count, too, if they hold one of its words, that is, 8 bytes at an offset that 8 divides.
 * NULL if out of memory or out of bounds. Wiped when freed. */
prober *prober_new(const uint8_t *needles, const uint32_t *lengths, const uint32_t *least, const uint8_t *by_words, size_t count);
void prober_free(prober *set);

/* [0] windows in the table, [1] needles with a part of least[i] bytes that has no window worth looking for, [2] words (of the needles by_words)
 * that are looked for, [3] words that are not, having zeros side by side or being plain text (but for words that are mostly zeros), [4] 1 if plain text has to be probed as well. */
void prober_facts(const prober *set, uint64_t *facts);

/* Longest parts that image and needle have in common, as (needle, offset in buf, offset in needle, length), for which a window of the table
 * begins in [from, to) of buf. They are extended as far as buf and needle go; whoever cuts an image into pieces gives them that much overlap,
 * and may meet the same part twice. *resume: where to go on (`from` at first, `to` when done); at most cap entries are written. */
size_t prober_find(const prober *set, const uint8_t *buf, size_t nbytes, size_t from, size_t to, int64_t *out, size_t cap,
                   size_t *resume);

/* How many of n bytes differ; *first is the offset of the first that does, n if there is none. */
size_t bytes_differ(const uint8_t *one, const uint8_t *other, size_t n, size_t *first);
