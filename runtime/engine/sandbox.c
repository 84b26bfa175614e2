/* SPDX-License-Identifier: MIT */
/*
 * The engine's filter of system calls. A work-group is the application's code,
 * or what became of it: all that it is to reach is memory, so nothing here
 * opens, sends, starts or asks for anything, and nothing makes memory
 * executable. What is left is what the workers and the C library under them
 * use, each call only in the form that they use:
 *
 *   - threads are started (progress.c), processes are not: clone3(2), whose
 *     flags a filter cannot see, does not exist here, upon which the C library
 *     takes clone(2);
 *   - memory is anonymous, and never executable;
 *   - signals go to this process only, and words to standard error only.
 *
 * Whatever comes first after the move into the window (window.c) may use more:
 * the filter is set when the engine is ready but for its workers.
 *
 * Locking: none; there is one thread.
 */
#include "sandbox.h"

#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* stacks, from glibc 2.42 on */
#endif

/* What a thread shares with the others, and all that may be new about it. */
#define SANDBOX_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define SANDBOX_NOT_A_THREAD                                                                       \
    (CLONE_VFORK | CLONE_PTRACE | CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |     \
     CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* Calls that are allowed whatever their arguments; the most frequent ones first. */
static const int sandbox_calls[] = {
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(clock_gettime), /* there is no vDSO in the window */
    SCMP_SYS(membarrier),
    SCMP_SYS(poll),
    SCMP_SYS(restart_syscall), /* a wait with a limit, after SIGSTOP and SIGCONT */
    /* threads */
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    /* memory; the heap cannot grow, but the C library tries */
    SCMP_SYS(munmap),
    SCMP_SYS(brk),
    /* signals */
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
};

struct sandbox_rule {
    int call;
    unsigned conditions;
    struct scmp_arg_cmp condition[2];
};

static int sandbox_allow(scmp_filter_ctx filter)
{
    const scmp_datum_t executable = (scmp_datum_t)(unsigned)~(PROT_READ | PROT_WRITE);
    const struct sandbox_rule rules[] = {
        {SCMP_SYS(mmap), 2,
         {SCMP_A2(SCMP_CMP_MASKED_EQ, executable, 0),
          SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS | MAP_PRIVATE, MAP_ANONYMOUS | MAP_PRIVATE)}},
        {SCMP_SYS(mprotect), 1, {SCMP_A2(SCMP_CMP_MASKED_EQ, executable, 0)}},
        {SCMP_SYS(madvise), 1, {SCMP_A2(SCMP_CMP_EQ, MADV_DONTNEED)}},
        {SCMP_SYS(madvise), 1, {SCMP_A2(SCMP_CMP_EQ, MADV_FREE)}},
        {SCMP_SYS(madvise), 1, {SCMP_A2(SCMP_CMP_EQ, MADV_GUARD_INSTALL)}},
        {SCMP_SYS(clone), 1,
         {SCMP_A0(SCMP_CMP_MASKED_EQ, SANDBOX_THREAD | SANDBOX_NOT_A_THREAD, SANDBOX_THREAD)}},
        {SCMP_SYS(tgkill), 1, {SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())}},
        {SCMP_SYS(write), 1, {SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO)}},
        {SCMP_SYS(writev), 1, {SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO)}},
    };
    const size_t calls = sizeof(sandbox_calls) / sizeof(*sandbox_calls);
    int err = 0;

    for (size_t i = 0; !err && i < calls; i++) {
        err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, sandbox_calls[i], 0);
        if (!err)
            err = seccomp_syscall_priority(filter, sandbox_calls[i], (uint8_t)(255 - i));
    }
    for (size_t i = 0; !err && i < sizeof(rules) / sizeof(*rules); i++)
        err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, rules[i].conditions,
                                     rules[i].condition);
    if (!err)
        err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return err;
}

int sandbox_enter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int err;

    if (!filter)
        return -ENOMEM;
    /* With heaps of their own threads would look into /proc to learn how to shrink them. */
    mallopt(M_ARENA_MAX, 1);
    err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP);
    if (!err)
        err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 1);
    /*
     * What a work-group may find out by speculation is the application's, whose it is: where the
     * kernel would slow down whoever has a filter, it need not. Older libraries do not know this.
     */
    if (!err)
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    if (!err)
        err = sandbox_allow(filter);
    if (!err)
        err = seccomp_load(filter);
    seccomp_release(filter);
    return err;
}
