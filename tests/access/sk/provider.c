/* A security key in software, for OpenSSH (sk-api.h, version 10): ed25519 only, the handle is the private key.
 * It holds no secret that is worth anything: it is for tests of what sshd demands. The variable SK_WITHOUT_UV
 * makes it sign without having verified its user, as a key does that has no PIN. */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct sk_option;

struct sk_enroll_response {
    uint8_t flags;
    uint8_t *public_key;
    size_t public_key_len;
    uint8_t *key_handle;
    size_t key_handle_len;
    uint8_t *signature;
    size_t signature_len;
    uint8_t *attestation_cert;
    size_t attestation_cert_len;
    uint8_t *authdata;
    size_t authdata_len;
};

struct sk_sign_response {
    uint8_t flags;
    uint32_t counter;
    uint8_t *sig_r;
    size_t sig_r_len;
    uint8_t *sig_s;
    size_t sig_s_len;
};

enum { VERSION = 0x000a0000, ED25519 = 1, GENERAL = -1, UNSUPPORTED = -2, PRESENT = 1, VERIFIED = 4 };
enum { SEED = 32, SIGNATURE = 64, DIGEST = 32 };

uint32_t sk_api_version(void) { return VERSION; }

static int digest(const void *data, size_t length, uint8_t *out) {
    return EVP_Digest(data, length, out, NULL, EVP_sha256(), NULL) == 1;
}

int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application,
              uint8_t flags, const char *pin, struct sk_option **options, struct sk_enroll_response **out) {
    (void)challenge, (void)challenge_len, (void)application, (void)pin, (void)options;
    if (alg != ED25519) return UNSUPPORTED;
    struct sk_enroll_response *made = calloc(1, sizeof *made);
    if (made == NULL) return GENERAL;
    made->flags = flags;
    made->key_handle = malloc(SEED), made->key_handle_len = SEED;
    made->public_key = malloc(SEED), made->public_key_len = SEED;
    made->signature = calloc(1, SIGNATURE), made->signature_len = SIGNATURE;
    RAND_bytes(made->key_handle, SEED);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, made->key_handle, SEED);
    size_t length = SEED;
    int good = key != NULL && EVP_PKEY_get_raw_public_key(key, made->public_key, &length) == 1;
    EVP_PKEY_free(key);
    *out = made;
    return good ? 0 : GENERAL;
}

int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application,
            const uint8_t *key_handle, size_t key_handle_len, uint8_t flags, const char *pin,
            struct sk_option **options, struct sk_sign_response **out) {
    (void)pin, (void)options, (void)flags;
    if (alg != ED25519 || key_handle_len != SEED) return UNSUPPORTED;
    uint8_t message[DIGEST + 1 + 4 + DIGEST] = {0};
    uint8_t set = PRESENT | (getenv("SK_WITHOUT_UV") == NULL ? VERIFIED : 0);
    message[DIGEST] = set;
    message[DIGEST + 4] = 1;
    if (!digest(application, strlen(application), message)) return GENERAL;
    if (!digest(data, data_len, message + DIGEST + 5)) return GENERAL;
    struct sk_sign_response *made = calloc(1, sizeof *made);
    if (made == NULL) return GENERAL;
    made->flags = set, made->counter = 1;
    made->sig_r = malloc(SIGNATURE), made->sig_r_len = SIGNATURE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key_handle, SEED);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = key != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
               EVP_DigestSign(context, made->sig_r, &made->sig_r_len, message, sizeof message) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    *out = made;
    return good ? 0 : GENERAL;
}

int sk_load_resident_keys(const char *pin, struct sk_option **options, void ***keys, size_t *count) {
    (void)pin, (void)options, (void)keys, (void)count;
    return UNSUPPORTED;
}
