/* OpenSSL from C: "openssl sign|verify|secure|forget DIRECTORY KIND...".
 * secure: the key is loaded while the secure heap is on. forget: the key is freed before the crash. */
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(int good, const char *what) {
    if (!good) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

static FILE *file(const char *directory, const char *kind, const char *tail) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", directory, kind, tail);
    FILE *found = fopen(path, "rb");
    check(found != NULL, path);
    setvbuf(found, NULL, _IONBF, 0); /* no buffer that keeps the text */
    return found;
}

static EVP_PKEY *sign(const char *directory, const char *kind) {
    FILE *source = file(directory, kind, ".pem");
    EVP_PKEY *key = PEM_read_PrivateKey(source, NULL, NULL, NULL);
    fclose(source);
    check(key != NULL, "PEM_read_PrivateKey");
    const EVP_MD *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
    for (int number = 0; number < 200; number++) {
        unsigned char signature[512], text[64];
        size_t length = sizeof signature;
        int size = snprintf((char *)text, sizeof text, "token %d", number);
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        check(EVP_DigestSignInit(context, NULL, digest, NULL, key) == 1, "init");
        check(EVP_DigestSign(context, signature, &length, text, (size_t)size) == 1, "sign");
        EVP_MD_CTX_free(context);
    }
    return key;
}

static EVP_PKEY *verify(const char *directory, const char *kind) {
    FILE *source = file(directory, kind, ".pub.pem");
    EVP_PKEY *key = PEM_read_PUBKEY(source, NULL, NULL, NULL);
    fclose(source);
    check(key != NULL, "PEM_read_PUBKEY");
    unsigned char message[512], signature[512];
    source = file(directory, kind, ".message");
    size_t size = fread(message, 1, sizeof message, source);
    fclose(source);
    source = file(directory, kind, ".sig");
    size_t length = fread(signature, 1, sizeof signature, source);
    fclose(source);
    const EVP_MD *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
    for (int number = 0; number < 200; number++) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        check(EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1, "init");
        check(EVP_DigestVerify(context, signature, length, message, size) == 1, "verify");
        EVP_MD_CTX_free(context);
    }
    return key;
}

int main(int count, char **arguments) {
    EVP_PKEY *alive[8] = {0};
    if (strcmp(arguments[1], "secure") == 0) {
        check(CRYPTO_secure_malloc_init(1 << 18, 64) >= 1, "secure heap");
    }
    for (int index = 3; index < count && index < 11; index++) {
        int only = strcmp(arguments[1], "verify") == 0;
        alive[index - 3] = (only ? verify : sign)(arguments[2], arguments[index]);
    }
    if (strcmp(arguments[1], "forget") == 0) {
        for (int index = 0; index < 8; index++) {
            EVP_PKEY_free(alive[index]);
        }
    }
    puts("ready");
    fflush(stdout);
    return (int)read(0, arguments[1], 1);
}
