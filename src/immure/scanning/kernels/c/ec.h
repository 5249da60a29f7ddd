/* Elliptic-curve search: is d*G one of these public points, for many candidate scalars d in a buffer?
 *
 * This header is also what the Python side reads (cffi), so it holds declarations only. Numbers are arrays of 64-bit
 * limbs, least significant first, ec_limbs(field) of them; points are x then y. No function keeps a pointer that it
 * was given; combs and knowns are immutable once made and may be used by several threads at once.
 */

/* field: 0 P-256, 1 secp256k1, 2 the field of 25519, 3 P-384, 4 the field of 448, 5 P-521.
 * isa: 0 portable C, 1 AVX-512 IFMA.
 * layout: 0 little-endian bytes, 1 big-endian bytes, 2 32-bit words most significant first, each little-endian,
 *         3 30-bit digits in little-endian 32-bit words.
 * kind: 0 the number itself, 1 the number clamped (RFC 7748, section 5), 2 a seed that is hashed and clamped
 *       (RFC 8032: SHA-512 for 25519, SHAKE256 for 448). */

typedef struct ec_comb ec_comb;
typedef struct ec_known ec_known;

int ec_has_ifma(void);
int ec_limbs(int field);
/* Bytes that a candidate takes up, or -1 if field, layout and kind do not go together. */
int64_t ec_width(int field, int layout, int kind);

/* Table of multiples of G for windows of `bits` bits (4 to 15). params: a, G.x, G.y, B.x, B.y, where B is a point
 * whose discrete logarithm to the base G nobody knows. NULL if memory is short or an argument is out of range. */
ec_comb *ec_comb_new(int field, int isa, int bits, const uint64_t *params);
void ec_comb_free(ec_comb *comb);
int64_t ec_comb_bytes(const ec_comb *comb);
/* The point S for which a candidate d is looked up as 2*d*G + S. */
void ec_comb_offset(const ec_comb *comb, uint64_t *xy);

/* The set of x coordinates of 2*Q + S, one for each public point Q. */
ec_known *ec_known_new(const ec_comb *comb, const uint64_t *xs, int64_t count);
void ec_known_free(ec_known *known);

/* Tests the candidates at buffer + offsets[i]. Writes pairs (i, index into known) to hits, and to *done how many
 * candidates were dealt with: fewer than count when less than ec_batch() pairs are free in hits.
 * Returns the number of pairs, -1 if memory is short, -2 if an argument is out of range (nothing is read then),
 * -3 if an addition met an exception (which takes a discrete logarithm nobody knows). */
int64_t ec_search(const ec_comb *comb, const ec_known *known, const uint8_t *buffer, int64_t size,
                  const int64_t *offsets, int64_t count, int layout, int kind,
                  int64_t *hits, int64_t capacity, int64_t *done);
int64_t ec_batch(void);

/* 32-byte windows that may be a key. runs: pairs (start, end) of byte offsets; the windows start at start + k*step.
 * width: bytes that must lie within the run (at least 32). strict: 0 keeps every window without a dull word.
 * edge: if not negative, only windows that start at most `edge` words after the run does or end at most `edge` words
 * before it ends. Writes byte offsets to out; state (two numbers, at first 0 and -1) is where to go on if out is full.
 * Returns how many were written, or -2 if a run is out of range. */
int64_t ec_candidates(const uint8_t *buffer, int64_t size, const int64_t *runs, int64_t run_count, int64_t step,
                      int64_t width, int strict, int64_t edge, int64_t *out, int64_t capacity, int64_t *state);

/* Drops from offsets, in place, those whose window of 32 bytes `behind` bytes after them fails the filter; returns how many
 * are left, -2 if an offset is out of range. */
int64_t ec_also(const uint8_t *buffer, int64_t size, int64_t *offsets, int64_t count, int64_t behind);

/* Drops from offsets, in place, those whose window of `width` bytes equals an earlier one's; returns how many are
 * left, -1 if memory is short, -2 if an offset is out of range. */
int64_t ec_unique(const uint8_t *buffer, int64_t size, int64_t *offsets, int64_t count, int64_t width);

/* For tests: SHA-512 of 32 bytes, and the first 114 bytes of SHAKE256 of 57. */
void ec_sha512_32(const uint8_t *message, uint8_t *digest);
void ec_shake256_57(const uint8_t *message, uint8_t *digest);
