/* The part of libcrypto 3 that the key holder uses, found when it runs: building needs no headers of OpenSSL, and
   a wheel is tied to no copy of it. Prototypes as in OpenSSL's manual pages. */
#ifndef IMMURE_KH_CRYPTO_H
#define IMMURE_KH_CRYPTO_H
#include <stddef.h>
#include <stdint.h>

typedef void EVP_PKEY, EVP_PKEY_CTX, EVP_MD, EVP_MD_CTX, EVP_CIPHER, EVP_CIPHER_CTX, P8INFO, BIO;

#define CRYPTO_FUNCTIONS(F)                                                                                       \
    F(int, CRYPTO_set_mem_functions, (void *(*)(size_t, const char *, int),                                       \
        void *(*)(void *, size_t, const char *, int), void (*)(void *, const char *, int)))                       \
    F(unsigned long, OpenSSL_version_num, (void))                                                                 \
    F(const char *, OpenSSL_version, (int))                                                                       \
    F(int, OPENSSL_init_crypto, (uint64_t, const void *))                                                         \
    F(void, ERR_clear_error, (void))                                                                              \
    F(int, RAND_bytes, (unsigned char *, int))                                                                    \
    F(int, RAND_priv_bytes, (unsigned char *, int))                                                               \
    F(int, EVP_PBE_scrypt, (const char *, size_t, const unsigned char *, size_t, uint64_t, uint64_t, uint64_t,    \
        uint64_t, unsigned char *, size_t))                                                                       \
    F(unsigned char *, HMAC, (const EVP_MD *, const void *, int, const unsigned char *, size_t,                   \
        unsigned char *, unsigned int *))                                                                         \
    F(EVP_MD *, EVP_MD_fetch, (void *, const char *, const char *))                                               \
    F(int, EVP_Digest, (const void *, size_t, unsigned char *, unsigned int *, const EVP_MD *, void *))           \
    F(const EVP_CIPHER *, EVP_aes_256_gcm, (void))                                                                \
    F(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, (void))                                                               \
    F(void, EVP_CIPHER_CTX_free, (EVP_CIPHER_CTX *))                                                              \
    F(int, EVP_CIPHER_CTX_ctrl, (EVP_CIPHER_CTX *, int, int, void *))                                             \
    F(int, EVP_CipherInit_ex, (EVP_CIPHER_CTX *, const EVP_CIPHER *, void *, const unsigned char *,               \
        const unsigned char *, int))                                                                              \
    F(int, EVP_CipherUpdate, (EVP_CIPHER_CTX *, unsigned char *, int *, const unsigned char *, int))              \
    F(int, EVP_CipherFinal_ex, (EVP_CIPHER_CTX *, unsigned char *, int *))                                        \
    F(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_name, (void *, const char *, const char *))                           \
    F(EVP_PKEY_CTX *, EVP_PKEY_CTX_new, (EVP_PKEY *, void *))                                                     \
    F(void, EVP_PKEY_CTX_free, (EVP_PKEY_CTX *))                                                                  \
    F(int, EVP_PKEY_CTX_ctrl_str, (EVP_PKEY_CTX *, const char *, const char *))                                   \
    F(int, EVP_PKEY_keygen_init, (EVP_PKEY_CTX *))                                                                \
    F(int, EVP_PKEY_keygen, (EVP_PKEY_CTX *, EVP_PKEY **))                                                        \
    F(int, EVP_PKEY_sign_init, (EVP_PKEY_CTX *))                                                                  \
    F(int, EVP_PKEY_sign, (EVP_PKEY_CTX *, unsigned char *, size_t *, const unsigned char *, size_t))             \
    F(int, EVP_PKEY_verify_init, (EVP_PKEY_CTX *))                                                                \
    F(int, EVP_PKEY_verify, (EVP_PKEY_CTX *, const unsigned char *, size_t, const unsigned char *, size_t))       \
    F(EVP_PKEY *, EVP_PKEY_dup, (EVP_PKEY *))                                                                     \
    F(void, EVP_PKEY_free, (EVP_PKEY *))                                                                          \
    F(int, EVP_PKEY_get_bits, (const EVP_PKEY *))                                                                 \
    F(int, EVP_PKEY_pairwise_check, (EVP_PKEY_CTX *))                                                             \
    F(EVP_MD_CTX *, EVP_MD_CTX_new, (void))                                                                       \
    F(void, EVP_MD_CTX_free, (EVP_MD_CTX *))                                                                      \
    F(int, EVP_DigestSignInit, (EVP_MD_CTX *, EVP_PKEY_CTX **, const EVP_MD *, void *, EVP_PKEY *))               \
    F(int, EVP_DigestSign, (EVP_MD_CTX *, unsigned char *, size_t *, const unsigned char *, size_t))              \
    F(int, EVP_DigestVerifyInit, (EVP_MD_CTX *, EVP_PKEY_CTX **, const EVP_MD *, void *, EVP_PKEY *))             \
    F(int, EVP_DigestVerify, (EVP_MD_CTX *, const unsigned char *, size_t, const unsigned char *, size_t))        \
    F(int, i2d_PUBKEY, (const EVP_PKEY *, unsigned char **))                                                      \
    F(P8INFO *, EVP_PKEY2PKCS8, (const EVP_PKEY *))                                                               \
    F(int, i2d_PKCS8_PRIV_KEY_INFO, (const P8INFO *, unsigned char **))                                           \
    F(void, PKCS8_PRIV_KEY_INFO_free, (P8INFO *))                                                                 \
    F(EVP_PKEY *, d2i_AutoPrivateKey, (EVP_PKEY **, const unsigned char **, long))                                \
    F(BIO *, BIO_new_mem_buf, (const void *, int))                                                                \
    F(int, BIO_free, (BIO *))                                                                                     \
    F(EVP_PKEY *, PEM_read_bio_PrivateKey, (BIO *, EVP_PKEY **, int (*)(char *, int, int, void *), void *))

struct crypto {
#define F(result, name, arguments) result(*name) arguments;
    CRYPTO_FUNCTIONS(F)
#undef F
};
extern struct crypto lib;
extern const EVP_MD *sha256, *sha384; /* found once: by EVP_sha256() libcrypto would look for it each time */

#endif
