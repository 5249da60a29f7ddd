/* The native kernel that looks for sketches: digests of every 16 bytes of secrets that nobody here has. Read by the
 * C compiler and, as it stands, by cffi: declarations only. Conventions as in words.h. */

typedef struct sketch_table sketch_table;

/* block: the 64 bytes that every digest begins with. digests: of windows, in any order, repetitions allowed.
 * NULL if there is no memory. */
sketch_table *sketch_new(const uint8_t *block, const uint64_t *digests, size_t count);
void sketch_free(sketch_table *table);

/* out[i]: the first eight bytes (big-endian) of SHA-256 over the table's block and the 16 bytes at
 * data + i * step. */
void sketch_digests(const sketch_table *table, const uint8_t *data, size_t step, size_t count, uint64_t *out);

/* Windows whose digest is in the table, at places that are multiples of 8 and where neither of the two words is
 * dull (mask: as words_mask writes it).
 *
 * At each place these are tried: the 16 bytes, if one has its top bit set or `looks` has bit 0, unless its two words are
 * the same or four of its bytes zero; 32 characters of hex, from the place and the byte after it; 22 characters of
 * base64 or base64url, from the place and the three after it, with letters of both cases or if `looks` has bit 1;
 * and where every second of the first eight bytes is zero, instead of these texts, the same of UTF-16LE from the place
 * or the byte after it: 16 characters of text, hex, base64.
 *
 * Writes (offset of the first byte, kind, digest) triples. Kinds: 0 bytes, 1 hex, 2 base64, 3 to 5 text, hex and
 * base64 in UTF-16LE. *resume: word to go on from; up to `stop` (not above nbytes / 8) of them. *tried: adds the
 * digests made. */
size_t sketch_find(const sketch_table *table, const uint8_t *buf, size_t nbytes, const uint64_t *mask, unsigned looks,
                   size_t stop, int64_t *out, size_t cap, size_t *resume, uint64_t *tried);

/* Which hash is used: 0 the best for this processor, 1 the portable one, 2 AVX2, 3 AVX-512, 4 SHA extensions. Returns
 * whether there is one of that kind here. For tests. */
int sketch_use(int kind);
