/* Private keys, and signing with them. Everything here runs on a worker: its stack and libcrypto's heap are in the
   arena. A key is copied for each worker, so that they do not wait for each other's locks. */
#include "internal.h"

#include <pthread.h>
#include <unistd.h>

#include "crypto.h"

enum { RS256, PS256, ES256, ES384, EDDSA, MOST_KEY_FILE = 64 << 10, MOST_BLOB = 16 << 10, NONCE = 12, TAG = 16 };

/* a worker's copy of a key, made ready for one algorithm */
struct ready {
    EVP_PKEY *key;
    EVP_PKEY_CTX *sign, *verify;
    unsigned version;
    int algorithm;
};

static EVP_PKEY *keys[SLOTS];
static unsigned versions[SLOTS];
static struct ready ready[MOST_WORKERS][SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int checks = 1;

extern const uint8_t *seal_key(int seal); /* seal.c */
extern int read_secret(int handle, uint8_t *out, int most);

static int public_half(EVP_PKEY *key, uint8_t *out, size_t room) {
    int size = lib.i2d_PUBKEY(key, NULL);
    if (size <= 0 || (size_t)size > room)
        return fail("the public half cannot be written");
    return lib.i2d_PUBKEY(key, &out);
}

static void put(int slot, EVP_PKEY *key) {
    pthread_mutex_lock(&lock);
    EVP_PKEY *before = keys[slot];
    keys[slot] = key;
    versions[slot]++;
    pthread_mutex_unlock(&lock);
    lib.EVP_PKEY_free(before);
}

static void clear(struct ready *one) {
    lib.EVP_PKEY_CTX_free(one->sign);
    lib.EVP_PKEY_CTX_free(one->verify);
    lib.EVP_PKEY_free(one->key);
    memset(one, 0, sizeof *one);
}

void sweep_copies(void) {
    for (int slot = 0; slot < SLOTS; slot++) {
        struct ready *one = &ready[worker_index][slot];
        pthread_mutex_lock(&lock);
        int stale = one->key != NULL && one->version != versions[slot];
        pthread_mutex_unlock(&lock);
        if (stale)
            clear(one);
    }
}

static EVP_PKEY_CTX *context(EVP_PKEY *key, int algorithm, int for_sign) {
    EVP_PKEY_CTX *made = lib.EVP_PKEY_CTX_new(key, NULL);
    if (made == NULL)
        return NULL;
    int fine = (for_sign ? lib.EVP_PKEY_sign_init(made) : lib.EVP_PKEY_verify_init(made)) == 1;
    if (fine && (algorithm == RS256 || algorithm == PS256))
        fine = lib.EVP_PKEY_CTX_ctrl_str(made, "rsa_padding_mode", algorithm == RS256 ? "pkcs1" : "pss") == 1 &&
               lib.EVP_PKEY_CTX_ctrl_str(made, "digest", "SHA256") == 1;
    if (fine && algorithm == PS256)
        fine = lib.EVP_PKEY_CTX_ctrl_str(made, "rsa_pss_saltlen", "32") == 1;
    if (fine)
        return made;
    lib.EVP_PKEY_CTX_free(made);
    return NULL;
}

static struct ready *prepare(int slot, int algorithm) {
    struct ready *one = &ready[worker_index][slot];
    pthread_mutex_lock(&lock);
    unsigned version = versions[slot];
    if (one->key != NULL && one->version == version && one->algorithm == algorithm) {
        pthread_mutex_unlock(&lock);
        return one;
    }
    EVP_PKEY *copy = keys[slot] == NULL ? NULL : lib.EVP_PKEY_dup(keys[slot]);
    pthread_mutex_unlock(&lock);
    clear(one);
    if (copy == NULL)
        return NULL;
    *one = (struct ready){copy, NULL, NULL, version, algorithm};
    if (algorithm == EDDSA)
        return one;
    one->sign = context(copy, algorithm, 1);
    one->verify = context(copy, algorithm, 0);
    if (one->sign != NULL && one->verify != NULL)
        return one;
    clear(one);
    return NULL;
}

static int sign_message(struct ready *one, struct job *job, size_t *size) {
    EVP_MD_CTX *context = lib.EVP_MD_CTX_new();
    int fine = context != NULL && lib.EVP_DigestSignInit(context, NULL, NULL, NULL, one->key) == 1 &&
               lib.EVP_DigestSign(context, job->answer, size, job->message, job->size) == 1;
    lib.EVP_MD_CTX_free(context);
    if (!fine || !checks)
        return fine;
    context = lib.EVP_MD_CTX_new();
    fine = context != NULL && lib.EVP_DigestVerifyInit(context, NULL, NULL, NULL, one->key) == 1 &&
           lib.EVP_DigestVerify(context, job->answer, *size, job->message, job->size) == 1;
    lib.EVP_MD_CTX_free(context);
    return fine;
}

static int sign_digest(struct ready *one, struct job *job, size_t *size) {
    uint8_t digest[48];
    unsigned length = 0;
    const EVP_MD *md = job->algorithm == ES384 ? sha384 : sha256;
    return lib.EVP_Digest(job->message, job->size, digest, &length, md, NULL) == 1 &&
           lib.EVP_PKEY_sign(one->sign, job->answer, size, digest, length) == 1 &&
           (!checks || lib.EVP_PKEY_verify(one->verify, job->answer, *size, digest, length) == 1);
}

/* ECDSA-Sig-Value (RFC 3279) to r and s behind one another (RFC 7518, section 3.4) */
static size_t flatten(uint8_t *signature, size_t size, size_t width) {
    uint8_t flat[96] = {0};
    size_t at = 2;
    for (int i = 0; i < 2; i++) {
        if (at + 2 > size || signature[at] != 2)
            return 0;
        size_t length = signature[at + 1];
        const uint8_t *number = signature + at + 2;
        at += 2 + length;
        if (at > size)
            return 0;
        while (length > 0 && *number == 0)
            number++, length--;
        if (length > width)
            return 0;
        memcpy(flat + (size_t)(i + 1) * width - length, number, length);
    }
    memcpy(signature, flat, 2 * width);
    return 2 * width;
}

static void sign(struct job *job) {
    struct ready *one = job->slot < 0 || job->slot >= SLOTS ? NULL : prepare(job->slot, job->algorithm);
    size_t size = sizeof job->answer;
    int fine = one != NULL && (job->algorithm == EDDSA ? sign_message(one, job, &size) : sign_digest(one, job, &size));
    if (fine && (job->algorithm == ES256 || job->algorithm == ES384))
        fine = (size = flatten(job->answer, size, job->algorithm == ES256 ? 32 : 48)) > 0;
    /* a signature that does not hold may give the key away: it is not let out */
    if (!fine)
        wipe(job->answer, sizeof job->answer);
    job->status = fine ? 0 : -1;
    job->answer_size = fine ? (uint32_t)size : 0;
    lib.ERR_clear_error();
}

static EVP_PKEY *new_key(const char *kind, int bits) {
    char digits[8] = {0};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = lib.EVP_PKEY_CTX_new_from_name(NULL, kind[0] == 'P' ? "EC" : kind, NULL);
    int fine = context != NULL && lib.EVP_PKEY_keygen_init(context) == 1;
    if (fine && kind[0] == 'P')
        fine = lib.EVP_PKEY_CTX_ctrl_str(context, "ec_paramgen_curve", kind) == 1;
    if (fine && kind[0] == 'R') {
        for (int i = 3, left = bits; i >= 0; i--, left /= 10)
            digits[i] = (char)('0' + left % 10);
        fine = lib.EVP_PKEY_CTX_ctrl_str(context, "rsa_keygen_bits", digits) == 1;
    }
    if (fine && lib.EVP_PKEY_keygen(context, &key) != 1)
        key = NULL;
    lib.EVP_PKEY_CTX_free(context);
    return key;
}

void do_job(struct job *job) {
    if (!job->generate) {
        sign(job);
        return;
    }
    EVP_PKEY *key = job->slot < 0 || job->slot >= SLOTS ? NULL : new_key(job->kind, job->bits);
    int size = key == NULL ? -1 : public_half(key, job->answer, sizeof job->answer);
    lib.ERR_clear_error();
    job->status = size < 0 ? -1 : 0;
    job->answer_size = size < 0 ? 0 : (uint32_t)size;
    if (size < 0)
        lib.EVP_PKEY_free(key);
    else
        put(job->slot, key);
}

struct move {
    int seal, slot, handle;
    const uint8_t *blob, *about;
    size_t blob_size, about_size, room;
    uint8_t *out;
};

static int no_password(char *out, int room, int writes, void *data) {
    (void)out, (void)room, (void)writes, (void)data;
    return -1;
}

static int do_import(void *with) {
    struct move *move = with;
    uint8_t *text = arena_get(MOST_KEY_FILE);
    if (text == NULL)
        return fail("there is no memory for keys");
    int size = read_secret(move->handle, text, MOST_KEY_FILE);
    EVP_PKEY *key = NULL;
    if (size > 0) {
        const unsigned char *at = text;
        BIO *bio = lib.BIO_new_mem_buf(text, size);
        key = lib.PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
        lib.BIO_free(bio);
        if (key == NULL)
            key = lib.d2i_AutoPrivateKey(NULL, &at, size);
    }
    arena_put(text);
    lib.ERR_clear_error();
    if (key == NULL)
        return fail("is no private key without a password (PEM or DER)");
    EVP_PKEY_CTX *context = lib.EVP_PKEY_CTX_new(key, NULL);
    int whole = context != NULL && lib.EVP_PKEY_pairwise_check(context) == 1;
    lib.EVP_PKEY_CTX_free(context);
    lib.ERR_clear_error();
    size = whole ? public_half(key, move->out, move->room) : fail("the two halves of the key do not belong together");
    if (size < 0)
        lib.EVP_PKEY_free(key);
    else
        put(move->slot, key);
    return size;
}

/* AES-256-GCM; nonce, sealed bytes, tag. What is open stays in the arena. */
static int gcm(int seal, int lock_it, const uint8_t *in, int size, const struct move *about, uint8_t *nonce,
               uint8_t *out, uint8_t *tag) {
    int length, fine;
    EVP_CIPHER_CTX *context = lib.EVP_CIPHER_CTX_new();
    fine = context != NULL &&
           lib.EVP_CipherInit_ex(context, lib.EVP_aes_256_gcm(), NULL, seal_key(seal), nonce, lock_it) == 1 &&
           lib.EVP_CipherUpdate(context, NULL, &length, about->about, (int)about->about_size) == 1 &&
           lib.EVP_CipherUpdate(context, out, &length, in, size) == 1;
    if (fine && !lock_it)
        fine = lib.EVP_CIPHER_CTX_ctrl(context, 0x11, TAG, tag) == 1; /* EVP_CTRL_AEAD_SET_TAG */
    fine = fine && lib.EVP_CipherFinal_ex(context, out + length, &length) == 1;
    if (fine && lock_it)
        fine = lib.EVP_CIPHER_CTX_ctrl(context, 0x10, TAG, tag) == 1; /* EVP_CTRL_AEAD_GET_TAG */
    lib.EVP_CIPHER_CTX_free(context);
    return fine;
}

static int do_wrap(void *with) {
    struct move *move = with;
    P8INFO *info = keys[move->slot] == NULL ? NULL : lib.EVP_PKEY2PKCS8(keys[move->slot]);
    unsigned char *plain = NULL;
    int size = info == NULL ? -1 : lib.i2d_PKCS8_PRIV_KEY_INFO(info, &plain);
    lib.PKCS8_PRIV_KEY_INFO_free(info);
    int fine = size > 0 && (size_t)size + NONCE + TAG <= move->room && seal_key(move->seal) != NULL &&
               lib.RAND_bytes(move->out, NONCE) == 1 &&
               gcm(move->seal, 1, plain, size, move, move->out, move->out + NONCE, move->out + NONCE + size);
    arena_put(plain);
    lib.ERR_clear_error();
    return fine ? size + NONCE + TAG : fail("the key cannot be sealed");
}

static int do_unwrap(void *with) {
    struct move *move = with;
    int size = (int)move->blob_size - NONCE - TAG;
    uint8_t *plain = size <= 0 || size > MOST_BLOB ? NULL : arena_get((size_t)size);
    if (plain == NULL || seal_key(move->seal) == NULL) {
        arena_put(plain);
        return fail("a sealed key has no length that it could have");
    }
    uint8_t nonce[NONCE], tag[TAG];
    memcpy(nonce, move->blob, NONCE);
    memcpy(tag, move->blob + NONCE + size, TAG);
    EVP_PKEY *key = NULL;
    if (gcm(move->seal, 0, move->blob + NONCE, size, move, nonce, plain, tag)) {
        const unsigned char *at = plain;
        key = lib.d2i_AutoPrivateKey(NULL, &at, size);
    }
    arena_put(plain);
    lib.ERR_clear_error();
    int written = key == NULL ? fail("a sealed key does not open") : public_half(key, move->out, move->room);
    if (written < 0)
        lib.EVP_PKEY_free(key);
    else
        put(move->slot, key);
    return written;
}

static int do_drop(void *with) {
    put(*(int *)with, NULL);
    sweep_soon();
    return 0;
}

void kh_checks(int on) { checks = on; }

static int is_slot(int slot) { return slot >= 0 && slot < SLOTS; }

int kh_import(int slot, int handle, uint8_t *spki, size_t room) {
    struct move move = {.slot = slot, .handle = handle, .out = spki, .room = room};
    return is_slot(slot) ? on_worker(do_import, &move) : fail("there is no such slot");
}

int kh_wrap(int seal, int slot, const uint8_t *about, size_t about_size, uint8_t *out, size_t room) {
    struct move move = {.seal = seal, .slot = slot, .about = about, .about_size = about_size, .out = out, .room = room};
    return is_slot(slot) ? on_worker(do_wrap, &move) : fail("there is no such slot");
}

int kh_unwrap(int seal, int slot, const uint8_t *blob, size_t size, const uint8_t *about, size_t about_size,
              uint8_t *spki, size_t room) {
    struct move move = {.seal = seal, .slot = slot, .blob = blob, .blob_size = size, .about = about,
                        .about_size = about_size, .out = spki, .room = room};
    return is_slot(slot) ? on_worker(do_unwrap, &move) : fail("there is no such slot");
}

/* Each worker then wipes its own copy, at once or when the signature that it is at is made. */
int kh_drop(int slot) { return is_slot(slot) ? on_worker(do_drop, &slot) : fail("there is no such slot"); }

/* For sketch.c, on a worker. */
EVP_PKEY *key_in(int slot) { return keys[slot]; }
