/* Finds libcrypto, and makes it take all its memory from the arena. */
#include "internal.h"

#include <dlfcn.h>
#include <stdio.h>

#include "crypto.h"

struct crypto lib;
const EVP_MD *sha256, *sha384;
static char words[200] = "";

int fail(const char *text) {
    snprintf(words, sizeof words, "%s", text);
    return -1;
}

const char *kh_words(void) { return words; }

const char *kh_library(void) { return lib.OpenSSL_version == NULL ? "" : lib.OpenSSL_version(0); }

static int find(void *library) {
#define F(result, name, arguments)                                                                                \
    *(void **)&lib.name = dlsym(library, #name);                                                                  \
    if (lib.name == NULL)                                                                                         \
        return fail("libcrypto has no " #name);
    CRYPTO_FUNCTIONS(F)
#undef F
    return 0;
}

int kh_crypto(void) {
    const uint64_t no_configuration = 0x80, no_atexit = 0x80000;
    void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return fail("there is no libcrypto.so.3 (OpenSSL 3) on this machine");
    if (find(library) < 0)
        return -1;
    if (lib.OpenSSL_version_num() < 0x30000000UL)
        return fail("libcrypto is older than OpenSSL 3");
    /* it says no if anybody used it before: then keys would be in memory that is not ours */
    if (lib.CRYPTO_set_mem_functions(arena_malloc, arena_realloc, arena_free) != 1)
        return fail("libcrypto was in use before its memory could be moved");
    if (lib.OPENSSL_init_crypto(no_configuration | no_atexit, NULL) != 1)
        return fail("libcrypto does not start");
    sha256 = lib.EVP_MD_fetch(NULL, "SHA2-256", NULL);
    sha384 = lib.EVP_MD_fetch(NULL, "SHA2-384", NULL);
    if (sha256 == NULL || sha384 == NULL)
        return fail("libcrypto has no SHA-256");
    return 0;
}
