/* SPDX-License-Identifier: MIT */
/*
 * Catching what a work-group does wrong: the handler runs on a stack of its
 * own in the window (the work-group may have run out of its), writes down what
 * it was, and returns to before the work-group. The watchdog has a work-group
 * end in the same way.
 *
 * Locking: all is the worker's own, found through thread-local data.
 */
#include "crash.h"

#include <linux/audit.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define CRASH_STACK (64u << 10)
#define CRASH_X32   0x40000000 /* in the number of a system call of the x32 ABI */

/* Numbers of the processor's exceptions, bits of a page fault's error code. */
#define TRAP_PAGE_FAULT 14
#define FAULT_WRITE     (1u << 1)
#define FAULT_FETCH     (1u << 4)

struct crash {
    struct hmmsvm_worker *worker;
    sigjmp_buf back;
    volatile sig_atomic_t armed;
    struct hmmsvm_fault fault;
};

static _Thread_local struct crash crash;

static struct ring *crash_ring;

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};

#define CRASH_SIGNALS (sizeof(crash_signals) / sizeof(*crash_signals))

/* The number of the system call that was refused; those of 32-bit programs have others. */
static uint32_t crash_call(const siginfo_t *info)
{
    bool own = info->si_arch == AUDIT_ARCH_X86_64 && !(info->si_syscall & CRASH_X32);

    return own ? (uint32_t)info->si_syscall : HMMSVM_NO_CALL;
}

/* The engine's own code, which must not be left just anywhere: it may hold a lock. */
extern const char __executable_start[], etext[];

/* The watchdog wants the group to end, if it still is the one. */
static void crash_hung(int sig, siginfo_t *info, void *context)
{
    const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t at = (uintptr_t)regs[REG_RIP];
    struct crash *c = &crash;

    if (info->si_code != SI_TKILL || info->si_pid != getpid() || !c->armed ||
        (at >= (uintptr_t)__executable_start && at < (uintptr_t)etext) ||
        atomic_load(&c->worker->hung) != atomic_load(&c->worker->at))
        return; /* it will be back if there is reason to */
    c->armed = 0;
    c->fault = (struct hmmsvm_fault){.status = HMMSVM_HUNG, .signal = sig, .address = at};
    siglongjmp(c->back, 1);
}

static void crash_handler(int sig, siginfo_t *info, void *context)
{
    const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct crash *c = &crash;
    uint64_t error = (uint64_t)regs[REG_ERR];

    if (!c->armed || info->si_code <= 0) {
        /* Not a work-group, or sent by somebody: what would have happened, happens. */
        if (sig == SIGSYS && info->si_code > 0)
            atomic_store(&crash_ring->refused, crash_call(info) + 1);
        signal(sig, SIG_DFL);
        raise(sig);
        return;
    }
    c->armed = 0;
    c->fault.signal = sig;
    if (sig == SIGSEGV || sig == SIGBUS) {
        bool page_fault = regs[REG_TRAPNO] == TRAP_PAGE_FAULT;

        c->fault.status = HMMSVM_BAD_ADDRESS;
        /* For an address that is none (not canonical) the processor does not say which. */
        c->fault.address = page_fault ? (uint64_t)info->si_addr : UINT64_MAX;
        c->fault.access = !page_fault           ? HMMSVM_READ
                          : error & FAULT_FETCH ? HMMSVM_EXECUTE
                          : error & FAULT_WRITE ? HMMSVM_WRITE
                                                : HMMSVM_READ;
    } else if (sig == SIGSYS) {
        c->fault.status = HMMSVM_REFUSED;
        c->fault.address = (uint64_t)info->si_call_addr;
        c->fault.access = crash_call(info);
    } else {
        c->fault.status = HMMSVM_CRASHED;
        c->fault.address = (uint64_t)regs[REG_RIP];
        c->fault.access = HMMSVM_EXECUTE;
    }
    siglongjmp(c->back, 1);
}

static void crash_enter(struct hmmsvm_worker *worker)
{
    stack_t stack = {.ss_size = CRASH_STACK};

    crash.worker = worker;
    stack.ss_sp = mmap(NULL, CRASH_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                       0);
    if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL))
        abort(); /* without it a crash would end the engine: better now than later */
}

/* The signal mask is not saved: the handler does not change it (SA_NODEFER). */
static void crash_run(struct hmmsvm_worker *worker, void (*body)(struct hmmsvm_worker *),
                      struct hmmsvm_fault *fault)
{
    if (!sigsetjmp(crash.back, 0)) {
        crash.armed = 1;
        body(worker);
        crash.armed = 0;
        return;
    }
    *fault = crash.fault;
}

const struct hmmsvm_guard crash_guard = {.enter = crash_enter, .run = crash_run};

void crash_install(struct ring *ring)
{
    struct sigaction action = {.sa_sigaction = crash_handler,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    struct sigaction hung = {.sa_sigaction = crash_hung,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART};
    sigset_t set;

    crash_ring = ring;
    sigemptyset(&set);
    for (unsigned i = 0; i < CRASH_SIGNALS; i++) {
        sigaction(crash_signals[i], &action, NULL);
        sigaddset(&set, crash_signals[i]);
    }
    sigaction(WATCHDOG_SIGNAL, &hung, NULL);
    sigaddset(&set, WATCHDOG_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
