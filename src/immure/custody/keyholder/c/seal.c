/* Keys that seal keys: from one PIN, or from two that two people know. scrypt (RFC 7914) each, the results behind
   one another through HMAC-SHA-256 as in HKDF (RFC 5869), with a name for each use. */
#include "internal.h"

#include <unistd.h>

#include "crypto.h"

enum { MOST_PINS = 2, SALT = 16, MOST_PIN = 1024 };
static const char CONTEXT[] = "immure-keyholder-1";

struct seal {
    uint8_t mac[SEAL_BYTES], wrap[SEAL_BYTES];
};
static struct seal *seals[SEALS];

struct derivation {
    int seal, count;
    const int *handles;
    const uint8_t *salts;
    uint64_t n;
    uint32_t r, p;
};

struct macced {
    int seal;
    const uint8_t *data;
    size_t size;
    uint8_t out[SEAL_BYTES];
};

int read_secret(int handle, uint8_t *out, int most) {
    int size = 0;
    ssize_t count = 1;
    int seekable = lseek(handle, 0, SEEK_CUR) >= 0; /* the same descriptor may be read again, by the next holder */
    while (size < most && count > 0) {
        count = seekable ? pread(handle, out + size, (size_t)(most - size), size)
                         : read(handle, out + size, (size_t)(most - size));
        if (count > 0)
            size += (int)count;
        else if (count < 0 && errno == EINTR)
            count = 1;
    }
    return count < 0 ? -1 : size;
}

static int first_line(const uint8_t *text, int size) {
    int length = 0;
    while (length < size && text[length] != '\n' && text[length] != '\r')
        length++;
    return length;
}

static int derive_one(const struct derivation *of, int index, uint8_t *out, uint8_t *text) {
    int size = read_secret(of->handles[index], text, MOST_PIN);
    int length = size <= 0 ? 0 : first_line(text, size);
    if (length == 0)
        return fail("there is no PIN where it should be");
    if (length == MOST_PIN)
        return fail("a PIN is longer than 1023 bytes");
    uint64_t memory = 64 + 128 * of->r * (of->n + of->p + 2);
    if (lib.EVP_PBE_scrypt((const char *)text, (size_t)length, of->salts + index * SALT, SALT, of->n, of->r, of->p,
                           memory, out, SEAL_BYTES) != 1)
        return fail("there is not enough memory for scrypt");
    return 0;
}

static void expand(const uint8_t *extracted, const char *name, uint8_t *out) {
    uint8_t info[32] = {0};
    size_t size = strlen(name);
    memcpy(info, name, size);
    info[size] = 1;
    lib.HMAC(sha256, extracted, SEAL_BYTES, info, size + 1, out, NULL);
}

static int do_derive(void *with) {
    const struct derivation *of = with;
    uint8_t master[MOST_PINS * SEAL_BYTES], extracted[SEAL_BYTES], text[MOST_PIN];
    int result = 0;
    for (int i = 0; i < of->count && result == 0; i++)
        result = derive_one(of, i, master + i * SEAL_BYTES, text);
    struct seal *made = result == 0 ? arena_get(sizeof *made) : NULL;
    if (made != NULL) {
        lib.HMAC(sha256, CONTEXT, sizeof CONTEXT - 1, master, (size_t)of->count * SEAL_BYTES, extracted,
                 NULL);
        expand(extracted, "mac", made->mac);
        expand(extracted, "wrap", made->wrap);
        arena_put(seals[of->seal]);
        seals[of->seal] = made;
    }
    wipe(master, sizeof master);
    wipe(extracted, sizeof extracted);
    wipe(text, sizeof text);
    lib.ERR_clear_error();
    return result == 0 && made == NULL ? fail("there is no memory for keys") : result;
}

int kh_derive(int seal, const int *handles, int count, const uint8_t *salts, uint64_t n, uint32_t r, uint32_t p) {
    if (seal < 0 || seal >= SEALS || count < 1 || count > MOST_PINS)
        return fail("there are one or two PINs");
    struct derivation of = {seal, count, handles, salts, n, r, p};
    return on_worker(do_derive, &of);
}

static int do_forget(void *with) {
    int seal = *(int *)with;
    arena_put(seals[seal]);
    seals[seal] = NULL;
    return 0;
}

int kh_forget(int seal) { return seal < 0 || seal >= SEALS ? -1 : on_worker(do_forget, &seal); }

const uint8_t *seal_key(int seal) {
    return seal < 0 || seal >= SEALS || seals[seal] == NULL ? NULL : seals[seal]->wrap;
}

static int do_mac(void *with) {
    struct macced *of = with;
    if (of->seal < 0 || of->seal >= SEALS || seals[of->seal] == NULL)
        return fail("there is no such seal");
    return lib.HMAC(sha256, seals[of->seal]->mac, SEAL_BYTES, of->data, of->size, of->out, NULL) == NULL
               ? fail("no code can be made")
               : 0;
}

int kh_mac(int seal, const uint8_t *data, size_t size, uint8_t *out) {
    struct macced of = {seal, data, size, {0}};
    int result = on_worker(do_mac, &of);
    memcpy(out, of.out, SEAL_BYTES);
    return result;
}

int kh_mac_holds(int seal, const uint8_t *data, size_t size, const uint8_t *mac) {
    struct macced of = {seal, data, size, {0}};
    uint8_t different = 0;
    if (on_worker(do_mac, &of) < 0)
        return -1;
    for (int i = 0; i < SEAL_BYTES; i++)
        different |= of.out[i] ^ mac[i];
    wipe(of.out, sizeof of.out); /* the right code for what somebody else wrote is not left lying about */
    return different == 0;
}

struct wanted {
    uint8_t *out;
    size_t size;
};

static int do_random(void *with) {
    struct wanted *wanted = with;
    return lib.RAND_bytes(wanted->out, (int)wanted->size) == 1 ? 0 : fail("there is no randomness");
}

int kh_random(uint8_t *out, size_t size) {
    struct wanted wanted = {out, size};
    return on_worker(do_random, &wanted);
}
