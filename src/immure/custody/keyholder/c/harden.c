/* What the process gives up before it sees a key: dumps, new privileges, a place for a debugger, most system calls. */
#include "internal.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif
#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

int kh_harden(void) {
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0)
        return fail("the limit of cores cannot be set");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
        return fail("the process stays dumpable");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail("the process may still gain privileges");
    return 0;
}

int kh_is_dumpable(void) { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0); }

/* The guard: the kernel lets only one process trace another, so while this one does, no debugger can; a debugger
   would see registers in the middle of a signature. It passes on every signal. If it dies, so does the holder. */
static void watch(pid_t holder) {
    int status;
    pid_t who;
    while ((who = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
        if (who <= 0)
            continue;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (who == holder)
                return;
            continue;
        }
        int sent = WSTOPSIG(status), event = status >> 16;
        if (event == PTRACE_EVENT_STOP && (sent == SIGSTOP || sent == SIGTSTP || sent == SIGTTIN || sent == SIGTTOU))
            ptrace(PTRACE_LISTEN, who, 0, 0);
        else
            ptrace(PTRACE_CONT, who, 0, event != 0 ? 0 : sent);
    }
}

static void guard(pid_t holder, int ready, uint32_t uid, uint32_t gid) {
    sigset_t all;
    int seized = ptrace(PTRACE_SEIZE, holder, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE) == 0 ? 0 : errno;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    if (dup2(ready, 0) == 0 && ready != 0)
        ready = 0;
    syscall(SYS_close_range, 1, ~0U, 0);
    prctl(PR_SET_NAME, "immure-guard", 0, 0, 0);
    if (geteuid() == 0 && uid != 0 &&
        (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0))
        seized = seized != 0 ? seized : EPERM;
    if (kh_harden() < 0)
        seized = seized != 0 ? seized : EPERM;
    if (write(ready, &seized, sizeof seized) != sizeof seized || seized != 0)
        _exit(1);
    close(ready);
    watch(holder);
    _exit(0);
}

int kh_guard(uint32_t uid, uint32_t gid) {
    int ends[2], seized = EPIPE;
    pid_t holder = getpid();
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail("there is no descriptor left");
    pid_t made = fork();
    if (made == 0)
        guard(holder, ends[1], uid, gid);
    close(ends[1]);
    if (made > 0) {
        prctl(PR_SET_PTRACER, made, 0, 0, 0); /* where Yama is, a child may trace its parent only if told so */
        if (read(ends[0], &seized, sizeof seized) != sizeof seized)
            seized = EPIPE;
    }
    close(ends[0]);
    if (made > 0 && seized == 0)
        return (int)made;
    if (made > 0)
        waitpid(made, NULL, 0);
    return fail(strerror(made < 0 ? EAGAIN : seized));
}

/* Files: only those of one directory, from now on, for this thread and those that it starts (landlock(7)). Numbers
   of version 1, which every kernel with Landlock knows; they are not in the headers of older systems. */
int kh_landlock(int directory) {
    struct {
        uint64_t handled;
    } rules = {0x1fff};
    struct __attribute__((packed)) {
        uint64_t allowed;
        int32_t directory;
    } beneath = {1 << 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 8, directory}; /* write, read, list, remove, make a file */
    int set = (int)syscall(444, &rules, sizeof rules, 0);
    if (set < 0)
        return fail(strerror(errno));
    int fine = syscall(445, set, 1, &beneath, 0) == 0 && syscall(446, set, 0) == 0;
    int error = errno;
    close(set);
    return fine ? 0 : fail(strerror(error));
}

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef THIS_ARCH
#define ALLOW(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL(call) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))

static struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#if defined(__x86_64__)
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), /* x32 */
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
#endif
    /* the queue, messages, files that are there already */
    ALLOW(futex), ALLOW(read), ALLOW(write), ALLOW(recvmsg), ALLOW(sendmsg), ALLOW(recvfrom), ALLOW(sendto),
    ALLOW(ppoll), ALLOW(epoll_pwait), ALLOW(epoll_ctl), ALLOW(accept4), ALLOW(getsockopt), ALLOW(shutdown),
    ALLOW(readv), ALLOW(writev), ALLOW(pread64), ALLOW(lseek), ALLOW(close), ALLOW(fcntl), ALLOW(fstat),
    ALLOW(newfstatat), ALLOW(openat), ALLOW(renameat2), ALLOW(unlinkat), ALLOW(fchmod), ALLOW(ftruncate),
    ALLOW(fsync), ALLOW(fdatasync),
#if defined(__x86_64__)
    ALLOW(poll), ALLOW(epoll_wait), ALLOW(accept), ALLOW(stat), ALLOW(lstat),
    ALLOW(rename),
#endif
    ALLOW(renameat),
    /* a language's own housekeeping */
    ALLOW(brk), ALLOW(munmap), ALLOW(mremap), ALLOW(madvise), ALLOW(mlock), ALLOW(memfd_secret), ALLOW(getrandom),
    ALLOW(clock_gettime), ALLOW(clock_nanosleep), ALLOW(rt_sigaction), ALLOW(rt_sigprocmask), ALLOW(rt_sigreturn),
    ALLOW(restart_syscall), ALLOW(sched_yield), ALLOW(getpid), ALLOW(gettid), ALLOW(getuid), ALLOW(geteuid),
    ALLOW(getgid), ALLOW(getegid), ALLOW(sigaltstack), ALLOW(getrusage), ALLOW(exit), ALLOW(exit_group),
    /* nothing of this has a place here: whoever tries it is not us */
    KILL(execve), KILL(execveat), KILL(ptrace), KILL(process_vm_readv), KILL(process_vm_writev), KILL(socket),
    KILL(connect), KILL(bind),
    /* no memory that can be executed; of prctl and ioctl, only what asks */
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 4),
    ARGUMENT(2),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 4),
    ARGUMENT(0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_GET_DUMPABLE, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4),
    ARGUMENT(1),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x5421, 0, 1), /* FIONBIO */
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
};

int kh_seccomp(void) {
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    return result == 0 ? 0 : fail(result > 0 ? "a thread did not take the filter" : strerror(errno));
}
#else
int kh_seccomp(void) { return fail("there is no filter for this machine"); }
#endif
