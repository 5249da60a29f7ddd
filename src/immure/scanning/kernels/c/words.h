/* The native scan kernels. Read by the C compiler and, as it stands, by cffi: declarations only, no directives.
 *
 * Conventions: `buf` holds `nbytes` bytes; offsets are byte offsets into it (int64_t). A run is a pair
 * (start, end) of byte offsets, both multiples of 8, end exclusive; runs are sorted and do not overlap. A kernel whose
 * output is full stops early and says where to go on (`resume`); it never writes past `cap` entries and never
 * reads outside [buf, buf + nbytes). None of them keeps state, so any number of threads may call them.
 */

/* --- words: which 64-bit words look like part of a number ------------------------------------------------ */

/* mask[i / 64] bit (i % 64) = word i is not dull; dull: < 2^bits or >= 2^64 - 2^bits. Returns how many are not. */
size_t words_mask(const uint8_t *buf, size_t nwords, unsigned bits, uint64_t *mask);

/* out = mask with single dull words between two others filled in.
 * `out` and `mask` have (nwords + 63) / 64 entries and must not overlap. */
void words_loosen(const uint64_t *mask, size_t nwords, uint64_t *out);

/* Runs of at least min_words set bits as (start, end) byte offsets into out; *resume is the word to go on from
 * (0 at first, nwords when done). Returns the number of runs written. */
size_t words_runs(const uint64_t *mask, size_t nwords, unsigned min_words, int64_t *out, size_t cap, size_t *resume);

/* Moves both ends of every run outwards by pad bytes, as far as [0, nbytes) goes. Neighbours may then overlap. */
void words_pad(int64_t *runs, size_t nruns, int64_t nbytes, int64_t pad);

/* Adds to counts[0] the number of window starts of `width` bytes in the runs, at multiples of `step`, to counts[1] how many of them are left if
 * runs of long_bytes or more are visited within `edge` bytes of their ends only. */
void words_count(const int64_t *runs, size_t nruns, size_t width, size_t step, size_t long_bytes, size_t edge,
                 uint64_t *counts);

/* The runs without noise: 16 or more pages (of 4,096 bytes, at offsets where (offset + page_phase) % 4096 == 0) in a row that look random. `margin` bytes of the noise stay at either side. At most cap runs; cap = nruns + 1 + bytes of buf / 65536 is always enough. */
size_t words_quiet(const uint8_t *buf, int64_t page_phase, const int64_t *runs, size_t nruns, int64_t margin, int64_t *out,
                   size_t cap);

/* The runs of at least min_bytes either end of which looks random: 64 bytes, 16 bytes in from the end; of runs too short for that (below 96
 * bytes) everything but the first and the last word. `out` has room for nruns. */
size_t words_random_ends(const uint8_t *buf, const int64_t *runs, size_t nruns, int64_t min_bytes, int64_t *out);

/* The runs of 48 to max_bytes bytes in the first or last 48 of which at least five have their top bit set: not text. `out` has room for nruns. */
size_t words_binary_ends(const uint8_t *buf, const int64_t *runs, size_t nruns, int64_t max_bytes, int64_t *out);

/* The runs of min_bytes to max_bytes bytes, each without its first word (which was added to it), but where the buffer begins. Of runs longer
 * than `whole` bytes only the first `head` bytes of that. `out` has room for nruns. */
size_t words_between(const int64_t *runs, size_t nruns, int64_t min_bytes, int64_t max_bytes, int64_t whole, int64_t head,
                     int64_t *out);

/* --- mapping: a file's bytes without a copy --------------------------------------------------------------------- */

/* Maps the first nbytes of a file for reading; NULL if that cannot be done. While there is a map, SIGBUS is handled: a page of it
 * that cannot be read becomes zeros. */
const uint8_t *mapping_new(int descriptor, size_t nbytes);
void mapping_free(const uint8_t *start);

/* Brings the pages of [from, to) in, so that touching them costs no fault; not 0 if some cannot be read, or the kernel is older than 5.14. */
int mapping_fill(const uint8_t *start, size_t from, size_t to);

/* The pages of [from, to) need not stay mapped. */
void mapping_drop(const uint8_t *start, size_t from, size_t to);

/* Pages that became zeros so far. */
uint64_t mapping_faults(const uint8_t *start);

/* --- anchors: literal byte strings ------------------------------------------------------------------------- */

typedef struct anchors anchors;

/* needles: concatenated, lengths[i] >= 4 each, at most 256 of them. NULL if out of memory or out of bounds. */
anchors *anchors_new(const uint8_t *needles, const uint32_t *lengths, size_t count);
void anchors_free(anchors *set);

/* All places of all needles that begin inside a run or within pad bytes of one, as (offset, needle) pairs in order of offset.
 * *position: offset to go on from (0 at first, nbytes when done). */
size_t anchors_find(const anchors *set, const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns,
                    size_t pad, int64_t *out, size_t cap, int64_t *position);

/* --- text: long runs of base64 or hex characters ------------------------------------------------------------- */

/* Kinds: 1 base64 or base64url, 2 hex, 3 base64 as UTF-16LE, 4 hex as UTF-16LE. Writes (start, length, kind) triples of byte
 * offsets and byte lengths for maximal runs of at least min_chars (>= 42) such characters: all that lie in a run (as words_runs and words_pad with
 * 8 write them; nothing else needs to hold text), and what else was noticed in it and its pad. Runs of base64 whose
 * characters are too few and too alike to be a secret (identifiers, prose), and signatures of tokens, are left out. Line breaks are not part of a run.
 * *position: offset to go on from (0 at first, nbytes when done). */
size_t text_runs(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, size_t pad, size_t min_chars,
                 int64_t *out, size_t cap, int64_t *position);

/* Decodes texts (triples as text_runs writes them) at each phase: base64 at four, hex at two. The decoded bytes go to out, each text on an 8-byte boundary
 * with at least 16 zero bytes behind it; places gets (offset in out, bytes, text, phase) quadruples, at most four for a text. What has no room
 * in out is left out: four times the length of all texts and 160 for each is enough. Returns the number of places. */
size_t text_decode(const uint8_t *buf, size_t nbytes, const int64_t *texts, size_t count, uint8_t *out, size_t out_bytes,
                   int64_t *places);

/* Adds to the places' offsets and texts: what was decoded apart is one with other decoded texts then. */
void text_shift(int64_t *places, size_t count, int64_t bytes, int64_t texts);

/* The decoded texts as runs of whole words, (start, end) pairs; room for count. */
void text_spans(const int64_t *places, size_t count, int64_t *out);

/* Offsets of the texts, at phase 0, that are as long as one of the widths or up to `slack` bytes longer; room for count. */
size_t text_starts(const int64_t *places, size_t count, const uint32_t *widths, size_t nwidths, uint32_t slack, int64_t *out);

/* --- RSA --------------------------------------------------------------------------------------------------------- */

/* Layouts of a number in memory (memory-layouts.md): 0 le64, 1 be, 2 be32w, 3 be64w, 4 py30, 5 smi28,
 * 6 le64 of R - p (that is R mod p for a prime with its top bit set). */
/* Bytes of a number of so many bits: whole bytes in le64 and be (what fills the last limb is not looked at), whole words or digits in the others. */
size_t rsa_width(unsigned layout, unsigned bits);

/* Windows that may be a prime of prime_bits bits that divides one of the moduli.
 *
 * moduli: count * 2 * limbs words, little-endian limbs, limbs = ceil(prime_bits / 64) <= 64. With count = 0 every window that
 * survives trial division by the primes below 1,000 is written, with key -1. Writes (offset, key) pairs; the caller confirms.
 * position[0..1]: run and byte offset to go on from (0, 0 at first; run == nruns when done).
 * counts[0] windows visited, counts[1] windows that survived trial division. */
size_t rsa_primes(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, unsigned layout,
                  unsigned prime_bits, const uint64_t *moduli, size_t count, size_t step, size_t long_bytes,
                  size_t edge, int64_t *out, size_t cap, int64_t *position, uint64_t *counts);

/* Which tests rsa_primes uses: 0 the best for this processor, 1 the portable ones, 2 those with AVX-512 IFMA. Returns whether there are
 * such here. For tests. */
int rsa_use(int kind);

/* Windows of `width` bytes (16 or more: those of the moduli) whose top 64 bits fit a private exponent of one of the moduli.
 *
 * factors: count pairs (beta, fraction_bits) of the fixed-point numbers e*G*2^(bits of n)/n (G: a multiple of all likely
 * gcd(p - 1, q - 1)), shifts: by how many bits (below 64) n must be shifted
 * left for the top bit of its bytes to be set. layout: 0 le64, 1 be, 2 be32w (width a multiple of 4). Writes (offset, factor index). */
size_t rsa_exponents(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, int layout,
                     size_t width, const uint64_t *factors, const uint32_t *shifts, size_t count, size_t step,
                     size_t long_bytes, size_t edge, int64_t *out, size_t cap, int64_t *position, uint64_t *counts);

/* Windows of `width` bytes (a multiple of 8) whose bytes look drawn at random (distinct values, set bits): candidates for constants such as R^2 mod p. Only in
 * runs of at most max_run bytes. */
size_t random_windows(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, size_t width,
                      size_t step, size_t long_bytes, size_t edge, size_t max_run, int64_t *out, size_t cap,
                      int64_t *position, uint64_t *counts);

/* Windows of `width` bytes (a multiple of 4) whose 32-bit words are all below 2^30 with varied bytes: digits of a CPython integer. */
size_t digit_windows(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, size_t width, size_t step,
                     size_t long_bytes, size_t edge, int64_t *out, size_t cap, int64_t *position);

/* --- sweep: every place of known byte strings, whole or in part --------------------------------------------------- */

typedef struct sweep sweep;

/* needles: concatenated byte strings of at least 16 bytes. Of those marked sparse, parts are found from 79 bytes on only, and whole ones always:
 * that keeps the table small for the many ways of writing a number as text. NULL if out of memory or out of bounds. Wiped when freed. */
sweep *sweep_new(const uint8_t *needles, const uint32_t *lengths, const uint8_t *sparse, size_t count);
void sweep_free(sweep *set);

/* Maximal common substrings of at least min_bytes (>= 15) bytes between the buffer and any needle, as (needle, offset in buf, offset in
 * needle, length) quadruples, at least one aligned word of which is not dull. mask: as words_mask writes it, with 48 bits. *resume: word to go on from. */
size_t sweep_find(const sweep *set, const uint8_t *buf, size_t nbytes, const uint64_t *mask, size_t min_bytes, int64_t *out,
                  size_t cap, size_t *resume);

/* --- AES key schedules ------------------------------------------------------------------------------------------- */

/* Places at multiples of step (1 or 4) from the beginning of a run, or up to 32 bytes before it, at which an AES key schedule begins of which at
 * most `most` (<= 10) bits are flipped. Writes (offset, layout, flipped bits) triples; layouts count through sizes (128, 192, 256 bits), orders
 * (encryption, decryption without round key R, inverse, rotated), and words as bytes or as little-endian numbers (aes.py). Those that are rotated
 * begin 32 bytes before such a place. Of its bits, 30 to 70 of a
 * hundred must be ones, which those of a schedule are.
 * Six flipped bits are found for certain, more if a row of words as long as the key has none of them and few stand close together.
 * position[0..1]: as in rsa_primes. *tried: adds the layouts that were rebuilt; at `limit` of them it stops (run < nruns). */
size_t aes_find(const uint8_t *buf, size_t nbytes, const int64_t *runs, size_t nruns, size_t step, unsigned most,
                uint64_t limit, int64_t *out, size_t cap, int64_t *position, uint64_t *tried);

/* Which filter is used: 0 the best for this processor, 1 the portable one, 2 AVX2, 3 AVX-512. Returns whether there is one of that
 * kind here. For tests. */
int aes_use(int kind);
