/* Sketches (docs/reference/sketches.md) of what is in a slot. What is open stays in the arena; digests are let out.

   Only numbers no piece of which follows from the public half: the primes, a scalar, a seed. The private exponent
   of an RSA key is none of them: its upper half is all but known (it is k/e of the modulus, and k is below e), and
   from a known piece on a sketch gives the rest away byte by byte. */
#include "internal.h"

#include "crypto.h"
#include "kh_sketch.h"

enum { BLOCK = 64, LABEL = 16, SALT = 32, WINDOW = 16, DIGEST = 32, SHORT = 8, MOST_NUMBER = 1024 };
enum { INTEGER = 2, OCTETS = 4, SEQUENCE = 0x30 };

extern EVP_PKEY *key_in(int slot); /* keys.c */

struct sketching {
    int slot;
    const uint8_t *salt;
    uint8_t *out;
    size_t room, size;
    uint8_t message[BLOCK + MOST_NUMBER]; /* in the worker's stack, which is in the arena */
};

struct number {
    const uint8_t *at;
    size_t size;
};

/* The contents of the next value in DER, which must have this tag. */
static int take(struct number *rest, uint8_t tag, struct number *found) {
    const uint8_t *at = rest->at, *end = at + rest->size;
    if (end - at < 2 || *at++ != tag)
        return -1;
    size_t size = *at++, octets = 0;
    if (size & 0x80) {
        octets = size & 0x7f;
        if (octets == 0 || octets > 3 || (size_t)(end - at) < octets)
            return -1;
        for (size = 0; octets > 0; octets--)
            size = size << 8 | *at++;
    }
    if ((size_t)(end - at) < size)
        return -1;
    *found = (struct number){at, size};
    *rest = (struct number){at + size, (size_t)(end - at) - size};
    return 0;
}

static int digest(struct sketching *of, const char *label, size_t size, uint8_t *out) {
    memset(of->message, 0, BLOCK);
    memcpy(of->message, label, LABEL);
    memcpy(of->message + LABEL, of->salt, SALT);
    return lib.EVP_Digest(of->message, BLOCK + size, out, NULL, sha256, NULL) == 1 ? 0 : -1;
}

/* One string of `size` bytes. */
static int add(struct sketching *of, char part, char form, const uint8_t *bytes, size_t size) {
    if (size < WINDOW || size > MOST_NUMBER)
        return -1;
    size_t windows = size - WINDOW + 1, needs = 4 + DIGEST + SHORT * windows;
    uint8_t *at = of->out + of->size, made[DIGEST];
    if (of->room - of->size < needs)
        return -1;
    *at++ = (uint8_t)part;
    *at++ = (uint8_t)form;
    *at++ = (uint8_t)windows;
    *at++ = (uint8_t)(windows >> 8);
    memcpy(of->message + BLOCK, bytes, size);
    int result = digest(of, "immure-sketch-w", size, at);
    at += DIGEST;
    for (size_t i = 0; i < windows && result == 0; i++, at += SHORT) {
        memcpy(of->message + BLOCK, bytes + i, WINDOW);
        result = digest(of, "immure-sketch-1", WINDOW, made);
        memcpy(at, made, SHORT);
    }
    of->size += needs;
    return result;
}

/* A big-endian number in each of the ways in which it stands in memory most often. */
static int add_number(struct sketching *of, char part, struct number n, uint8_t *turned) {
    while (n.size > 0 && *n.at == 0) /* the sign of an INTEGER */
        n.at++, n.size--;
    if (n.size > MOST_NUMBER || add(of, part, 'b', n.at, n.size) < 0)
        return -1;
    for (size_t i = 0; i < n.size; i++)
        turned[i] = n.at[n.size - 1 - i];
    if (add(of, part, 'l', turned, n.size) < 0)
        return -1;
    if (n.size % 4 != 0)
        return 0;
    for (size_t i = 0; i < n.size; i++)
        turned[i] = n.at[(i & ~(size_t)3) + 3 - (i & 3)];
    return add(of, part, 'w', turned, n.size);
}

static int add_rsa(struct sketching *of, struct number key, uint8_t *turned) {
    struct number values, p, q;
    if (take(&key, SEQUENCE, &values) < 0)
        return -1;
    for (int i = 0; i < 5; i++) /* version, n, e, d, p */
        if (take(&values, INTEGER, &p) < 0)
            return -1;
    return take(&values, INTEGER, &q) < 0 || add_number(of, 'p', p, turned) < 0 ? -1 : add_number(of, 'q', q, turned);
}

static int add_ec(struct sketching *of, struct number key, uint8_t *turned) {
    struct number values, version, d;
    if (take(&key, SEQUENCE, &values) < 0 || take(&values, INTEGER, &version) < 0 || take(&values, OCTETS, &d) < 0)
        return -1;
    return add_number(of, 'd', d, turned);
}

static int add_seed(struct sketching *of, struct number key) {
    struct number seed;
    return take(&key, OCTETS, &seed) < 0 ? -1 : add(of, 's', 'r', seed.at, seed.size);
}

/* PKCS#8 (RFC 5208): version, algorithm, and the key, of which the first tag and the length tell the kind here: an RSA
   key begins SEQUENCE { INTEGER 0, an EC key SEQUENCE { INTEGER 1, a seed is an OCTET STRING. */
static int add_key(struct sketching *of, struct number all, uint8_t *turned) {
    struct number info, one, key;
    if (take(&all, SEQUENCE, &info) < 0 || take(&info, INTEGER, &one) < 0 || take(&info, SEQUENCE, &one) < 0 ||
        take(&info, OCTETS, &key) < 0)
        return -1;
    if (key.size > 0 && key.at[0] == OCTETS)
        return add_seed(of, key);
    struct number peek = key, values, version;
    if (take(&peek, SEQUENCE, &values) < 0 || take(&values, INTEGER, &version) < 0 || version.size != 1)
        return -1;
    return version.at[0] == 0 ? add_rsa(of, key, turned) : add_ec(of, key, turned);
}

static int do_sketch(void *with) {
    const struct sketching *asked = with;
    struct sketching of = *asked;
    EVP_PKEY *key = key_in(of.slot);
    P8INFO *info = key == NULL ? NULL : lib.EVP_PKEY2PKCS8(key);
    unsigned char *plain = NULL;
    int size = info == NULL ? -1 : lib.i2d_PKCS8_PRIV_KEY_INFO(info, &plain), result = -1;
    uint8_t *turned = arena_get(MOST_NUMBER);
    lib.PKCS8_PRIV_KEY_INFO_free(info);
    if (size > 0 && turned != NULL)
        result = add_key(&of, (struct number){plain, (size_t)size}, turned);
    arena_put(plain);
    arena_put(turned);
    wipe(of.message, sizeof of.message);
    lib.ERR_clear_error();
    return result < 0 ? fail("the key cannot be sketched") : (int)of.size;
}

int kh_sketch(int slot, const uint8_t *salt, uint8_t *out, size_t room) {
    struct sketching of = {.slot = slot, .salt = salt, .out = out, .room = room};
    return slot >= 0 && slot < SLOTS ? on_worker(do_sketch, &of) : fail("there is no such slot");
}
