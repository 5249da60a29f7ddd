/* What the files of the search for primes share. */
#ifndef IMMURE_RSA_PRIMES_H
#define IMMURE_RSA_PRIMES_H

#include "rsa_numbers.h"

/* Trial division, in groups of primes whose product is below 2^24.6, so that 2 * MAX_LIMBS products of a 32-bit half and a weight fit in
 * 64 bits; and by 3, 5 and 17. The first SIEVE_QUICK groups go up to 61. */
enum { SIEVE_QUICK = 3, SIEVE_GROUPS = 71, SIEVE_PRIMES = 6 };
extern const uint16_t rsa_sieve_primes[SIEVE_GROUPS][SIEVE_PRIMES];

/* What is looked for: primes of so many bits that divide one of `count` moduli, or any at all if that is 0. */
typedef struct {
    unsigned layout, bits;
    size_t limbs, width, step, count;
    const uint64_t *moduli;
    range top, high; /* of a prime's top eight bytes, and of its top limb */
    size_t groups;   /* of primes to divide by */
} prime_test;

/* Windows that are looked at together, for which there is a kernel of its own; and from how many out of 64 on that are left after a look at
 * their ends their bytes are added up. */
enum { BLOCK = 512, FEW = 5 };

typedef struct {
    uint8_t flag[BLOCK];
    uint16_t sum[2][BLOCK + 16 * MAX_LIMBS + 32], total[BLOCK]; /* see rsa_blocks.h */
} block;

/* Candidates that are tested together by the vector kernel. */
enum { SIEVED = 8, DIVIDED = 16 };

/* The tests for processors with AVX-512 IFMA (rsa_ifma.c). A row is a candidate's limbs. rsa_ifma_new returns NULL without memory. */
typedef struct rsa_ifma rsa_ifma;
int rsa_has_ifma(void);
rsa_ifma *rsa_ifma_new(const prime_test *t);
void rsa_ifma_free(rsa_ifma *s);
/* What fitting() of rsa_blocks.h does. */
void rsa_ifma_fitting(const prime_test *t, const uint8_t *p, size_t n, block *b, uint64_t *bits);
/* Bit i: none of the primes divides row i. */
unsigned rsa_ifma_sieve(rsa_ifma *s, const uint8_t *const row[SIEVED]);
/* Bit i: row i is varied and may divide a modulus; wrong about once in 2^12 for each. *varied, bit i: row i is varied. */
unsigned rsa_ifma_divide(rsa_ifma *s, const uint8_t *const row[DIVIDED], unsigned *varied);

#endif
