/* What the key holder's Python may ask of its native half. Private keys never cross this border: what comes back
   are signatures, public halves and sealed blobs. Results below 0 are errors, in words in kh_words(). */
int kh_arena(uint64_t bytes, int only_secret); /* once, before anything else: 1 memfd_secret, 2 locked, 3 plain */
uint64_t kh_room(void);             /* bytes of it that were never used */
int kh_spilled(void);               /* whether scrypt had to work outside of it */
int kh_crypto(void);                /* load libcrypto with its memory in the arena */
int kh_workers(int count);          /* threads whose stacks are in the arena */
int kh_event(void);                 /* a descriptor that is readable when there is something to collect */
const char *kh_words(void);
const char *kh_library(void);

int kh_harden(void);                /* no core, not dumpable, no new privileges */
int kh_is_dumpable(void);
int kh_guard(uint32_t uid, uint32_t gid);  /* a process that holds the place of the debugger: its pid */
int kh_landlock(int directory);
int kh_seccomp(void);

/* seals: keys derived from PINs, each PIN the first line of what a descriptor gives */
int kh_derive(int seal, const int *handles, int count, const uint8_t *salts, uint64_t n, uint32_t r, uint32_t p);
int kh_forget(int seal);
int kh_mac(int seal, const uint8_t *data, size_t size, uint8_t *out);
int kh_mac_holds(int seal, const uint8_t *data, size_t size, const uint8_t *mac);

/* keys, by slot; the results are the length of what was written */
int kh_import(int slot, int handle, uint8_t *spki, size_t room);
int kh_wrap(int seal, int slot, const uint8_t *about, size_t about_size, uint8_t *out, size_t room);
int kh_unwrap(int seal, int slot, const uint8_t *blob, size_t size, const uint8_t *about, size_t about_size,
              uint8_t *spki, size_t room);
int kh_drop(int slot);
int kh_random(uint8_t *out, size_t size);

void kh_checks(int on);             /* whether a signature is verified before it is let out; it is, unless told */

/* work for the threads; each answer is id (8 bytes), status (4), length (4), and that many bytes */
int kh_generate(uint64_t id, int slot, const char *kind, int bits);
int kh_sign(uint64_t id, int slot, int algorithm, const uint8_t *message, size_t size);
long kh_collect(uint8_t *out, size_t room);
