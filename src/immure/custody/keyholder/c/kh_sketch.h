/* Sketches of the private numbers in a slot: digests that find pieces of them, and tell them to nobody who does not
   know 16 bytes in a row of one already. Read by the C compiler and by cffi, as kh.h is.

   salt: 32 bytes. Written are strings one behind the other: part (p, q, d or s for a seed), form (b, l, w: big-endian,
   little-endian, big-endian words of 32 bits each little-endian; r: as it is), number of windows (two bytes,
   little-endian), the digest of the whole string (32 bytes), those of its windows (8 bytes each). */
int kh_sketch(int slot, const uint8_t *salt, uint8_t *out, size_t room);
