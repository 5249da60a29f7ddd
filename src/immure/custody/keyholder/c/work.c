/* Threads that do everything with keys in it, their stacks in the arena; and the queues to and from them. The
   queues are in ordinary memory: what is signed, and signatures, are no secrets. */
#include "internal.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MOST_WAITING = 8192, TOGETHER = 32 };

_Thread_local int worker_index = -1;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER, called = PTHREAD_COND_INITIALIZER;
static struct job *first, **last = &first, *done, **done_last = &done;
static int waiting, running, done_count, told, event = -1;
static unsigned drops, swept[MOST_WORKERS]; /* a worker whose number is behind has copies of dropped keys */
static struct {
    int (*what)(void *);
    void *with;
    int result, state; /* 0 none, 1 asked, 2 taken, 3 answered */
} call;

/* What the last operation left in vector registers would be in the next picture of this thread. */
static void wipe_registers(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx"))
        __asm__ volatile("vzeroall" ::: "memory");
    if (__builtin_cpu_supports("avx512f"))
        __asm__ volatile(
            "vpxord %%zmm16,%%zmm16,%%zmm16\n vpxord %%zmm17,%%zmm17,%%zmm17\n vpxord %%zmm18,%%zmm18,%%zmm18\n"
            "vpxord %%zmm19,%%zmm19,%%zmm19\n vpxord %%zmm20,%%zmm20,%%zmm20\n vpxord %%zmm21,%%zmm21,%%zmm21\n"
            "vpxord %%zmm22,%%zmm22,%%zmm22\n vpxord %%zmm23,%%zmm23,%%zmm23\n vpxord %%zmm24,%%zmm24,%%zmm24\n"
            "vpxord %%zmm25,%%zmm25,%%zmm25\n vpxord %%zmm26,%%zmm26,%%zmm26\n vpxord %%zmm27,%%zmm27,%%zmm27\n"
            "vpxord %%zmm28,%%zmm28,%%zmm28\n vpxord %%zmm29,%%zmm29,%%zmm29\n vpxord %%zmm30,%%zmm30,%%zmm30\n"
            "vpxord %%zmm31,%%zmm31,%%zmm31\n" ::: "memory");
#endif
}

/* With the lock held: wake the loop, unless it was woken and has not come yet. */
static void tell(void) {
    uint64_t one = 1;
    if (told || done == NULL)
        return;
    told = 1;
    if (write(event, &one, sizeof one) < 0)
        abort(); /* a counter of 64 bits does not run over */
}

/* Answers are handed over when there are as many as jobs that wait, so that none is kept for longer than what is
   behind it takes; and at once when nothing waits. Waking the loop for each would cost a fifth of an RSA signature. */
static void answer(struct job *job) {
    job->next = NULL;
    pthread_mutex_lock(&lock);
    *done_last = job;
    done_last = &job->next;
    if (++done_count >= TOGETHER || done_count >= waiting)
        tell();
    pthread_mutex_unlock(&lock);
}

static struct job *take(void) {
    struct job *job = NULL;
    pthread_mutex_lock(&lock);
    for (;;) {
        if (swept[worker_index] != drops) {
            swept[worker_index] = drops;
            pthread_mutex_unlock(&lock);
            sweep_copies();
            pthread_mutex_lock(&lock);
        } else if (first == NULL && call.state != 1) {
            pthread_cond_wait(&work, &lock);
        } else {
            break;
        }
    }
    if (call.state == 1) {
        call.state = 2; /* calls go first */
        tell();
    } else {
        job = first;
        first = job->next;
        if (first == NULL)
            last = &first;
        waiting--;
        if (job->generate)
            tell(); /* that may take seconds */
    }
    pthread_mutex_unlock(&lock);
    return job;
}

void sweep_soon(void) {
    pthread_mutex_lock(&lock);
    drops++;
    pthread_cond_broadcast(&work);
    pthread_mutex_unlock(&lock);
}

static void *worker(void *index) {
    worker_index = (int)(intptr_t)index;
    pthread_mutex_lock(&lock);
    running++;
    pthread_cond_signal(&called);
    pthread_mutex_unlock(&lock);
    for (;;) {
        struct job *job = take();
        if (job != NULL) {
            do_job(job);
            wipe_registers();
            answer(job);
            continue;
        }
        int result = call.what(call.with);
        wipe_registers();
        pthread_mutex_lock(&lock);
        call.result = result;
        call.state = 3;
        pthread_cond_signal(&called);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

int on_worker(int (*what)(void *), void *with) {
    pthread_mutex_lock(&lock);
    call.what = what;
    call.with = with;
    call.state = 1;
    pthread_cond_broadcast(&work);
    while (call.state != 3)
        pthread_cond_wait(&called, &lock);
    call.state = 0;
    int result = call.result;
    pthread_mutex_unlock(&lock);
    return result;
}

static int start(int index) {
    pthread_attr_t attributes;
    pthread_t thread;
    void *stack = arena_stack(STACK);
    if (stack == NULL)
        return -1;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attributes, worker, (void *)(intptr_t)index);
    pthread_attr_destroy(&attributes);
    return error == 0 ? 0 : -1;
}

int kh_workers(int count) {
    sigset_t all, before;
    if (event >= 0 || count < 1 || count > MOST_WORKERS)
        return fail("that number of threads makes no sense");
    event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0)
        return fail("there is no descriptor left");
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int made = 0;
    while (made < count && start(made) == 0)
        made++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    /* a thread's own beginning makes system calls that the filter will not allow */
    pthread_mutex_lock(&lock);
    while (running < made)
        pthread_cond_wait(&called, &lock);
    pthread_mutex_unlock(&lock);
    return made == count ? 0 : fail("the threads cannot be started");
}

int kh_event(void) { return event; }

static int submit(struct job *job) {
    pthread_mutex_lock(&lock);
    int full = waiting >= MOST_WAITING;
    if (!full) {
        *last = job;
        last = &job->next;
        waiting++;
        pthread_cond_signal(&work);
    }
    pthread_mutex_unlock(&lock);
    if (!full)
        return 0;
    free(job->message);
    free(job);
    return fail("too much is waiting to be signed");
}

int kh_sign(uint64_t id, int slot, int algorithm, const uint8_t *message, size_t size) {
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL || (job->message = malloc(size + 1)) == NULL) {
        free(job);
        return fail("there is no memory");
    }
    memcpy(job->message, message, size);
    job->id = id;
    job->slot = slot;
    job->algorithm = algorithm;
    job->size = size;
    return submit(job);
}

int kh_generate(uint64_t id, int slot, const char *kind, int bits) {
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return fail("there is no memory");
    job->id = id;
    job->slot = slot;
    job->generate = 1;
    job->bits = bits;
    strncpy(job->kind, kind, sizeof job->kind - 1);
    return submit(job);
}

/* As many answers as there is room for; bytes written. */
long kh_collect(uint8_t *out, size_t room) {
    uint64_t count;
    size_t at = 0;
    if (read(event, &count, sizeof count) < 0 && errno != EAGAIN)
        return fail("the counter of answers is gone");
    pthread_mutex_lock(&lock);
    told = 0;
    pthread_mutex_unlock(&lock);
    for (;;) {
        pthread_mutex_lock(&lock);
        struct job *job = done;
        size_t needs = job == NULL ? 0 : 16 + (size_t)job->answer_size;
        if (job == NULL || at + needs > room) {
            tell(); /* of what there was no room for */
            pthread_mutex_unlock(&lock);
            return (long)at;
        }
        done = job->next;
        done_count--;
        if (done == NULL)
            done_last = &done;
        pthread_mutex_unlock(&lock);
        memcpy(out + at, &job->id, 8);
        memcpy(out + at + 8, &job->status, 4);
        memcpy(out + at + 12, &job->answer_size, 4);
        memcpy(out + at + 16, job->answer, job->answer_size);
        at += needs;
        free(job->message);
        free(job);
    }
}
