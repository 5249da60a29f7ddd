/* SHA-256 of many short messages that begin with the same block. */
#ifndef IMMURE_SKETCH_HASH_H
#define IMMURE_SKETCH_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { LANES = 16 };

/* The state of SHA-256 after one block, from its start. */
void sketch_state(const uint8_t block[64], uint32_t state[8]);

/* The first eight bytes of the digests of LANES messages of 16 bytes (four big-endian words each, word by word:
 * words[i][lane]), each behind a block that led to `state`. */
typedef void sketch_hash(const uint32_t state[8], const uint32_t words[4][LANES], uint64_t out[LANES]);

sketch_hash *sketch_best_hash(void);
sketch_hash *sketch_hash_of(int kind); /* as sketch_use counts them; NULL if this processor has no such thing */

#endif
