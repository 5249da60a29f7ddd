/* The two hashes that turn an EdDSA seed into a scalar (RFC 8032): SHA-512 and SHAKE256, each for one short message. */
#include "ec_internal.h"

/* ---- SHA-512 (FIPS 180-4, section 6.4) of 32-byte messages, eight in the lanes of a vector ---- */

typedef uint64_t lanes __attribute__((vector_size(64)));

/* Fractional parts of the cube roots of the first 80 primes. */
static const uint64_t sha512_k[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
    0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
    0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
    0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
    0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
    0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
    0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
    0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
    0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
    0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
    0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
    0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
    0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

/* Fractional parts of the square roots of the first 8 primes. */
static const uint64_t sha512_start[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1, 0x510e527fade682d1,
    0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

#define ROTATE(x, n) (((x) >> (n)) | ((x) << (64 - (n))))

/* One message fills one block: 4 words of it, the end mark, zeros, and the length of 256 bits. */
EC_INLINE void sha512_block(const uint64_t words[4][8], uint64_t state[8][8])
{
    const lanes zero = {0};
    lanes m[16], s[8];
    for (int i = 0; i < 4; i++) memcpy(&m[i], words[i], sizeof m[i]);
    for (int i = 4; i < 16; i++) m[i] = zero;
    m[4] = zero + ((uint64_t)1 << 63);
    m[15] = zero + 256;
    for (int i = 0; i < 8; i++) s[i] = zero + sha512_start[i];
    for (int t = 0; t < 80; t++) {
        if (t >= 16) {
            lanes a = m[(t + 1) & 15], b = m[(t + 14) & 15];
            m[t & 15] += (ROTATE(a, 1) ^ ROTATE(a, 8) ^ (a >> 7)) + m[(t + 9) & 15]
                       + (ROTATE(b, 19) ^ ROTATE(b, 61) ^ (b >> 6));
        }
        lanes a = s[0], e = s[4];
        lanes t1 = s[7] + (ROTATE(e, 14) ^ ROTATE(e, 18) ^ ROTATE(e, 41)) + ((e & s[5]) ^ (~e & s[6]))
                 + sha512_k[t] + m[t & 15];
        lanes t2 = (ROTATE(a, 28) ^ ROTATE(a, 34) ^ ROTATE(a, 39)) + ((a & s[1]) | (s[2] & (a | s[1])));
        for (int i = 7; i > 0; i--) s[i] = s[i - 1];
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) {
        s[i] += sha512_start[i];
        memcpy(state[i], &s[i], sizeof s[i]);
    }
    ec_wipe(m, sizeof m);
    ec_wipe(s, sizeof s);
}

static void sha512_portable(const uint64_t words[4][8], uint64_t state[8][8]) { sha512_block(words, state); }

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void sha512_avx2(const uint64_t words[4][8], uint64_t state[8][8])
{
    sha512_block(words, state);
}

__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw"))) static void
sha512_avx512(const uint64_t words[4][8], uint64_t state[8][8])
{
    sha512_block(words, state);
}
#endif

void ec_sha512_32x8(const uint8_t *const messages[8], uint8_t digests[8][64])
{
    uint64_t words[4][8], state[8][8];
    for (int lane = 0; lane < 8; lane++)
        for (int i = 0; i < 4; i++) {
            uint64_t word;
            memcpy(&word, messages[lane] + 8 * i, 8);
            words[i][lane] = __builtin_bswap64(word);
        }
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        sha512_avx512((const uint64_t(*)[8])words, state);
    else if (__builtin_cpu_supports("avx2"))
        sha512_avx2((const uint64_t(*)[8])words, state);
    else
#endif
        sha512_portable((const uint64_t(*)[8])words, state);
    for (int lane = 0; lane < 8; lane++)
        for (int i = 0; i < 8; i++) {
            uint64_t word = __builtin_bswap64(state[i][lane]);
            memcpy(digests[lane] + 8 * i, &word, 8);
        }
    ec_wipe(words, sizeof words);
    ec_wipe(state, sizeof state);
}

void ec_sha512_32(const uint8_t *message, uint8_t *digest)
{
    const uint8_t *messages[8] = {message, message, message, message, message, message, message, message};
    uint8_t digests[8][64];
    ec_sha512_32x8(messages, digests);
    memcpy(digest, digests[0], 64);
    ec_wipe(digests, sizeof digests);
}

/* ---- SHAKE256 (FIPS 202) of a 57-byte message: it fits into one block, and so does the output ---- */

/* One step of the linear-feedback register that makes the round constants (FIPS 202, algorithm 5). */
static int keccak_bit(unsigned *lfsr)
{
    int bit = *lfsr & 1;
    *lfsr = (*lfsr << 1) ^ ((*lfsr >> 7) * 0x171);
    return bit;
}

static void keccak_f1600(uint64_t a[25])
{
    unsigned lfsr = 1;
    for (int round = 0; round < 24; round++) {
        uint64_t column[5], turned;
        for (int x = 0; x < 5; x++) column[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
        for (int x = 0; x < 5; x++) {
            turned = column[(x + 4) % 5] ^ ROTATE(column[(x + 1) % 5], 63);
            for (int y = 0; y < 25; y += 5) a[y + x] ^= turned;
        }
        turned = a[1];
        for (int t = 0, x = 1, y = 0; t < 24; t++) { /* rho and pi in one walk over the lanes */
            int next = (2 * x + 3 * y) % 5, by = (t + 1) * (t + 2) / 2 % 64;
            x = y;
            y = next;
            uint64_t there = a[5 * y + x];
            a[5 * y + x] = by ? (turned << by) | (turned >> (64 - by)) : turned;
            turned = there;
        }
        for (int y = 0; y < 25; y += 5) {
            for (int x = 0; x < 5; x++) column[x] = a[y + x];
            for (int x = 0; x < 5; x++) a[y + x] = column[x] ^ (~column[(x + 1) % 5] & column[(x + 2) % 5]);
        }
        for (int j = 0; j < 7; j++)
            if (keccak_bit(&lfsr)) a[0] ^= (uint64_t)1 << ((1 << j) - 1);
        ec_wipe(column, sizeof column);
    }
}

void ec_shake256_57(const uint8_t *message, uint8_t *digest)
{
    uint64_t state[25] = {0};
    uint8_t block[136] = {0}; /* the rate of SHAKE256 */
    memcpy(block, message, 57);
    block[57] = 0x1f;
    block[135] = 0x80;
    memcpy(state, block, sizeof block);
    keccak_f1600(state);
    memcpy(digest, state, 114);
    ec_wipe(block, sizeof block);
    ec_wipe(state, sizeof state);
}
