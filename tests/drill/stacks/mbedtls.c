/* mbedTLS: "mbedtls sign|verify DIRECTORY KIND..."; it has RSA and P-256. */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(int status, const char *what) {
    if (status != 0) {
        fprintf(stderr, "%s: -0x%04x\n", what, (unsigned)-status);
        exit(1);
    }
}

static size_t slurp(const char *directory, const char *kind, const char *tail, unsigned char *into, size_t room) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", directory, kind, tail);
    FILE *source = fopen(path, "rb");
    check(source == NULL, path);
    size_t size = fread(into, 1, room, source);
    fclose(source);
    return size;
}

int main(int count, char **arguments) {
    static mbedtls_pk_context alive[8];
    static mbedtls_entropy_context entropy;
    static mbedtls_ctr_drbg_context random;
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    check(mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0), "seed");
    int only = strcmp(arguments[1], "verify") == 0;
    for (int index = 3; index < count && index < 11; index++) {
        mbedtls_pk_context *key = &alive[index - 3];
        const char *kind = arguments[index];
        char path[4096];
        snprintf(path, sizeof path, "%s/%s%s", arguments[2], kind, only ? ".pub.pem" : ".pem");
        mbedtls_pk_init(key);
        check(only ? mbedtls_pk_parse_public_keyfile(key, path)
                   : mbedtls_pk_parse_keyfile(key, path, NULL, mbedtls_ctr_drbg_random, &random), "parse");
        for (int number = 0; number < 200; number++) {
            unsigned char text[512], signature[1024], digest[32];
            size_t length = sizeof signature, size;
            if (only) {
                size = slurp(arguments[2], kind, ".message", text, sizeof text);
                length = slurp(arguments[2], kind, ".sig", signature, sizeof signature);
                check(mbedtls_sha256(text, size, digest, 0), "hash");
                check(mbedtls_pk_verify(key, MBEDTLS_MD_SHA256, digest, 32, signature, length), "verify");
            } else {
                size = (size_t)snprintf((char *)text, sizeof text, "token %d", number);
                check(mbedtls_sha256(text, size, digest, 0), "hash");
                check(mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, digest, 32, signature, sizeof signature, &length,
                                      mbedtls_ctr_drbg_random, &random), "sign");
            }
        }
    }
    puts("ready");
    fflush(stdout);
    return (int)read(0, arguments[1], 1);
}
