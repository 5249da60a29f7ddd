/* GnuTLS (nettle and GMP): "gnutls sign|verify|forget DIRECTORY KIND...". */
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(int status, const char *what) {
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", what, gnutls_strerror(status));
        exit(1);
    }
}

static gnutls_datum_t load(const char *directory, const char *kind, const char *tail) {
    char path[4096];
    gnutls_datum_t data;
    snprintf(path, sizeof path, "%s/%s%s", directory, kind, tail);
    check(gnutls_load_file(path, &data), path);
    return data;
}

static gnutls_privkey_t sign(const char *directory, const char *kind) {
    gnutls_datum_t text = load(directory, kind, ".pem");
    gnutls_privkey_t key;
    check(gnutls_privkey_init(&key), "init");
    check(gnutls_privkey_import_x509_raw(key, &text, GNUTLS_X509_FMT_PEM, NULL, 0), "import");
    gnutls_memset(text.data, 0, text.size);
    gnutls_free(text.data);
    gnutls_digest_algorithm_t digest = strcmp(kind, "ed25519") == 0 ? GNUTLS_DIG_SHA512 : GNUTLS_DIG_SHA256;
    for (int number = 0; number < 200; number++) {
        unsigned char words[64];
        gnutls_datum_t message = {words, (unsigned)snprintf((char *)words, sizeof words, "token %d", number)};
        gnutls_datum_t signature;
        check(gnutls_privkey_sign_data(key, digest, 0, &message, &signature), "sign");
        gnutls_free(signature.data);
    }
    return key;
}

static void verify(const char *directory, const char *kind) {
    gnutls_datum_t text = load(directory, kind, ".pub.pem"), message = load(directory, kind, ".message");
    gnutls_datum_t signature = load(directory, kind, ".sig");
    gnutls_pubkey_t key;
    check(gnutls_pubkey_init(&key), "init");
    check(gnutls_pubkey_import(key, &text, GNUTLS_X509_FMT_PEM), "import");
    gnutls_sign_algorithm_t algorithm = strcmp(kind, "rsa") == 0    ? GNUTLS_SIGN_RSA_SHA256
                                        : strcmp(kind, "p256") == 0 ? GNUTLS_SIGN_ECDSA_SHA256
                                                                    : GNUTLS_SIGN_EDDSA_ED25519;
    for (int number = 0; number < 200; number++) {
        check(gnutls_pubkey_verify_data2(key, algorithm, 0, &message, &signature), "verify");
    }
}

int main(int count, char **arguments) {
    gnutls_privkey_t alive[8] = {0};
    for (int index = 3; index < count && index < 11; index++) {
        if (strcmp(arguments[1], "verify") == 0) {
            verify(arguments[2], arguments[index]);
        } else {
            alive[index - 3] = sign(arguments[2], arguments[index]);
        }
    }
    if (strcmp(arguments[1], "forget") == 0) {
        for (int index = 0; index < 8; index++) {
            if (alive[index] != NULL) {
                gnutls_privkey_deinit(alive[index]);
            }
        }
    }
    puts("ready");
    fflush(stdout);
    return (int)read(0, arguments[1], 1);
}
