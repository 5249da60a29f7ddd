/* One stretch of memory for everything that may hold a secret: libcrypto's heap and the stacks of the threads
   that use it. memfd_secret(2) takes the pages out of the kernel's own map, so that neither a dump nor
   /proc/PID/mem nor a module that walks memory by the direct map finds them; next best is locked memory. Blocks
   are wiped when they are given back. */
#include "internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

enum { STEP = 16, SMALL = 1024, CLASSES = SMALL / STEP + 80, LARGE = 1 << 20, KEPT_FREE = 8 << 20, MOST = 512 << 20 };

/* before each block; 16 bytes, so that blocks are aligned as malloc's are */
struct head {
    uint32_t size;  /* asked for; of a mapping of its own: its pages */
    uint32_t class; /* CLASSES: a mapping of its own */
    uint64_t whole; /* bytes of such a mapping */
};

static uint8_t *start, *next, *end;
static struct head *spare[CLASSES];
static int spilled;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void wipe(void *at, size_t size) {
    memset(at, 0, size);
    __asm__ volatile("" : : "r"(at) : "memory");
}

static void *secret_pages(size_t bytes) {
    int handle = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    if (handle < 0)
        return NULL;
    void *at = MAP_FAILED;
    if (ftruncate(handle, (off_t)bytes) == 0)
        at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0);
    close(handle);
    if (at == MAP_FAILED)
        return NULL;
    madvise(at, bytes, MADV_DONTFORK);
    return at;
}

static void *other_pages(size_t bytes, int *locked) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    *locked = mlock(at, bytes) == 0;
    madvise(at, bytes, MADV_DONTDUMP);
    madvise(at, bytes, MADV_DONTFORK);
    return at;
}

int kh_arena(uint64_t bytes, int only_secret) {
    int locked = 0, kind = 1;
    if (start != NULL)
        return fail("there is an arena already");
    start = secret_pages(bytes);
    if (start == NULL && !only_secret) {
        start = other_pages(bytes, &locked);
        kind = locked ? 2 : 3;
    }
    if (start == NULL)
        return fail("there is no memory for keys");
    next = start;
    end = start + bytes;
    return kind;
}

/* steps of 16 bytes, then four steps to each doubling */
static unsigned class_of(size_t size, size_t *rounded) {
    if (size <= SMALL) {
        unsigned class = size == 0 ? 0 : (unsigned)((size - 1) / STEP);
        *rounded = ((size_t)class + 1) * STEP;
        return class;
    }
    unsigned doubling = 0;
    size_t base = SMALL;
    while (base * 2 < size) {
        base *= 2;
        doubling++;
    }
    size_t step = base / 4;
    unsigned quarter = (unsigned)((size - base - 1) / step);
    *rounded = base + (quarter + 1) * step;
    return SMALL / STEP + doubling * 4 + quarter;
}

uint64_t kh_room(void) { return (uint64_t)(end - next); }

int kh_spilled(void) { return spilled; }

static void *own_mapping(size_t size) {
    size_t whole = (size + sizeof(struct head) + 4095) & ~(size_t)4095;
    int locked;
    struct head *head = secret_pages(whole);
    if (head == NULL) {
        head = other_pages(whole, &locked);
        spilled = 1;
    }
    if (head == NULL)
        return NULL;
    head->class = CLASSES;
    head->whole = whole;
    return head + 1;
}

void *arena_get(size_t size) {
    if (size > MOST)
        return NULL;
    size_t rounded;
    unsigned class = class_of(size, &rounded);
    pthread_mutex_lock(&lock);
    struct head *head = spare[class];
    if (head == NULL && size > LARGE && (size_t)(end - next) < rounded + KEPT_FREE) {
        pthread_mutex_unlock(&lock);
        return own_mapping(size); /* scrypt's; after root's privileges are gone it may not be secret memory */
    }
    if (head != NULL) {
        memcpy(&spare[class], head + 1, sizeof(head));
        wipe(head + 1, sizeof(head));
    } else if (start != NULL && (size_t)(end - next) >= rounded + sizeof(struct head)) {
        head = (struct head *)next;
        next += rounded + sizeof(struct head);
    }
    pthread_mutex_unlock(&lock);
    if (head == NULL)
        return NULL;
    head->size = (uint32_t)size;
    head->class = class;
    return head + 1;
}

void arena_put(void *block) {
    if (block == NULL)
        return;
    struct head *head = (struct head *)block - 1;
    if (head->class == CLASSES) {
        size_t whole = head->whole;
        wipe(head, whole);
        munmap(head, whole);
        return;
    }
    wipe(block, head->size);
    pthread_mutex_lock(&lock);
    memcpy(block, &spare[head->class], sizeof(head));
    spare[head->class] = head;
    pthread_mutex_unlock(&lock);
}

void *arena_malloc(size_t size, const char *file, int line) {
    (void)file, (void)line;
    return size == 0 ? NULL : arena_get(size);
}

void arena_free(void *block, const char *file, int line) {
    (void)file, (void)line;
    arena_put(block);
}

void *arena_realloc(void *block, size_t size, const char *file, int line) {
    if (block == NULL)
        return arena_malloc(size, file, line);
    if (size == 0) {
        arena_put(block);
        return NULL;
    }
    struct head *head = (struct head *)block - 1;
    size_t had = head->class == CLASSES ? head->whole - sizeof(*head) : head->size;
    void *made = arena_get(size);
    if (made == NULL)
        return NULL;
    memcpy(made, block, had < size ? had : size);
    arena_put(block);
    return made;
}

/* never given back; the page below it stays unmapped for the thread, so that an overflow is a crash */
void *arena_stack(size_t size) {
    pthread_mutex_lock(&lock);
    uint8_t *at = (uint8_t *)(((uintptr_t)next + 4095) & ~(uintptr_t)4095);
    void *made = NULL;
    if (at + 4096 + size <= end && mprotect(at, 4096, PROT_NONE) == 0) {
        made = at + 4096;
        next = at + 4096 + size;
    }
    pthread_mutex_unlock(&lock);
    return made;
}
