/* libgcrypt: "libgcrypt sign|verify DIRECTORY KIND...", with keys as canonical S-expressions. */
#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(gcry_error_t status, const char *what) {
    if (status) {
        fprintf(stderr, "%s: %s\n", what, gcry_strerror(status));
        exit(1);
    }
}

static gcry_sexp_t load(const char *directory, const char *kind, const char *tail, int secret) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", directory, kind, tail);
    FILE *source = fopen(path, "rb");
    if (source == NULL) {
        perror(path);
        exit(1);
    }
    setvbuf(source, NULL, _IONBF, 0);
    /* secret keys go through secure memory, as gpg-agent does it */
    char *data = secret ? gcry_xmalloc_secure(8192) : gcry_xmalloc(8192);
    size_t size = fread(data, 1, 8192, source);
    fclose(source);
    gcry_sexp_t found;
    check(gcry_sexp_new(&found, data, size, 0), "key");
    gcry_free(data);
    return found;
}

static gcry_sexp_t input(const char *kind, const char *text, int size) {
    unsigned char digest[32];
    gcry_sexp_t data;
    gcry_md_hash_buffer(GCRY_MD_SHA256, digest, text, (size_t)size);
    if (strcmp(kind, "rsa") == 0) {
        check(gcry_sexp_build(&data, NULL, "(data (flags pkcs1)(hash sha256 %b))", 32, digest), "data");
    } else if (strcmp(kind, "p256") == 0) {
        check(gcry_sexp_build(&data, NULL, "(data (flags raw)(value %b))", 32, digest), "data");
    } else {
        check(gcry_sexp_build(&data, NULL, "(data (flags eddsa)(hash-algo sha512)(value %b))", size, text), "data");
    }
    return data;
}

int main(int count, char **arguments) {
    gcry_sexp_t alive[8] = {0};
    if (!gcry_check_version(GCRYPT_VERSION)) {
        return 1;
    }
    gcry_control(GCRYCTL_INIT_SECMEM, 65536, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    int only = strcmp(arguments[1], "verify") == 0;
    for (int index = 3; index < count && index < 11; index++) {
        const char *kind = arguments[index];
        gcry_sexp_t key = load(arguments[2], kind, only ? ".pub.sexp" : ".sexp", !only);
        alive[index - 3] = key;
        for (int number = 0; number < 200; number++) {
            char text[64];
            gcry_sexp_t data = input(kind, text, snprintf(text, sizeof text, "token %d", number)), result;
            if (only) { /* a signature of zeros: the whole public arithmetic runs and says no */
                const char *form = strcmp(kind, "rsa") == 0    ? "(sig-val (rsa (s #02#)))"
                                   : strcmp(kind, "p256") == 0 ? "(sig-val (ecdsa (r #02#)(s #02#)))"
                                                               : "(sig-val (eddsa (r %b)(s %b)))";
                check(gcry_sexp_build(&result, NULL, form, 32, "01234567890123456789012345678901", 32,
                                      "01234567890123456789012345678901"), "signature");
                if (gcry_pk_verify(result, data, key) == 0) {
                    return 1;
                }
            } else {
                check(gcry_pk_sign(&result, data, key), "sign");
            }
            gcry_sexp_release(result);
            gcry_sexp_release(data);
        }
    }
    puts("ready");
    fflush(stdout);
    return (int)read(0, arguments[1], 1) + (alive[0] == NULL);
}
