/* SPDX-License-Identifier: MIT */
/*
 * Moving the engine into its window.
 *
 * The kernel loads a program where it likes, and so it lies where the
 * application may have memory. The steps out of there:
 *
 *  1. The heap is frozen: its end is moved to a page boundary. From then on
 *     growing it needs the pages after it, and those will be the mirror's, so
 *     the C library of the copy finds that it cannot and takes mmap().
 *  2. A block of the window is filled: the program's segments from its file,
 *     a stack with the arguments as the kernel would have made it, the ring.
 *  3. Control goes to window_arrive() in the copy, on the new stack. It maps
 *     the mirror over everything outside the window (all that step 1 and 2
 *     came from disappears) and jumps to the copy's entry point.
 *  4. The C library starts as in any program. All memory it asks for comes to
 *     lie in the window, since nothing else is free.
 *
 * What the kernel itself knows of the old place must not be used any more:
 * the vDSO is not passed on, the area for restartable sequences was never
 * registered (the tunable glibc.pthread.rseq=0; main.c sees to it), the
 * robust list and the thread id's address are set anew by the C library.
 *
 * window_arrive() runs before the copy has been relocated, and where the
 * thread pointer points to is the application's: no C library, no global data
 * that needs a relocation, no stack protector.
 */
#include "window.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Our own entry of the auxiliary vector: the address of the parameters. */
#define WINDOW_AT    0x686d6d73ul
#define WINDOW_STACK (256ul << 10)
#define WINDOW_PAGE  4096ul
#define WINDOW_ALIGN (2ul << 20)

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));
extern char **environ;

struct window_copy {
    uintptr_t here;     /* where the program's address 0 is now */
    uintptr_t there;    /* and where it will be */
    size_t low, high;   /* its first and last page's addresses, as in the file */
    size_t align;
    const ElfW(Phdr) *phdr;
    size_t phnum;
};

static uintptr_t window_up(uintptr_t x, uintptr_t align)
{
    return (x + align - 1) & ~(align - 1);
}

static uintptr_t window_down(uintptr_t x, uintptr_t align)
{
    return x & ~(align - 1);
}

/* ---- in the copy, before it is a program -------------------------------------- */

#define WINDOW_CODE __attribute__((noinline, no_sanitize("address", "thread", "undefined")))

static inline __attribute__((always_inline)) long window_call(long nr, uint64_t a, uint64_t b,
                                                             uint64_t c, uint64_t d, uint64_t e,
                                                             uint64_t f)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

__attribute__((noreturn)) WINDOW_CODE static void
window_arrive_failed(struct ring *ring, enum ring_step step, long ret, uint64_t detail)
{
    ring->step = step;
    ring->error = (int32_t)-ret;
    ring->detail = detail;
    __atomic_store_n((uint32_t *)&ring->state, RING_FAILED, __ATOMIC_SEQ_CST);
    window_call(SYS_futex, (uint64_t)&ring->state, FUTEX_WAKE, INT_MAX, 0, 0, 0);
    for (;;)
        window_call(SYS_exit_group, 1, 0, 0, 0, 0, 0);
}

/* Maps the mirror, or what stands for it, over [from, to). */
WINDOW_CODE static void window_arrive_map(const struct window_params *p, uint64_t from, uint64_t to)
{
    long ret;

    if (from >= to)
        return;
    if (p->mirror_fd >= 0)
        ret = window_call(SYS_mmap, from, to - from, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                          (uint64_t)p->mirror_fd, from);
    else
        ret = window_call(SYS_mmap, from, to - from, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, ~0ull, 0);
    if (ret < 0 && ret > -4096)
        window_arrive_failed(p->ring, RING_STEP_MIRROR, ret, from);
}

/* The first code that runs in the window. */
__attribute__((noreturn, used)) WINDOW_CODE static void window_arrive(struct window_params *p)
{
    uint64_t end = p->start + p->len, block_end = p->block + p->block_len;
    long ret = 0;

    /* What the kernel may have put into the window: the old program, a stack. */
    if (p->block > p->start)
        ret = window_call(SYS_munmap, p->start, p->block - p->start, 0, 0, 0, 0);
    if (ret < 0)
        window_arrive_failed(p->ring, RING_STEP_CLEAR, ret, p->start);
    if (end > block_end)
        ret = window_call(SYS_munmap, block_end, end - block_end, 0, 0, 0, 0);
    if (ret < 0)
        window_arrive_failed(p->ring, RING_STEP_CLEAR, ret, block_end);

    window_arrive_map(p, p->va_start, p->start);
    window_arrive_map(p, end, p->va_end);

    /* As the kernel enters a program: no function to call at exit, no frame. */
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "xor %%edx, %%edx\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "jmp *%1"
                     :
                     : "a"(p->stack), "c"(p->entry)
                     : "memory");
    __builtin_unreachable();
}

/* ---- outside, getting ready ----------------------------------------------------- */

__attribute__((noreturn)) void engine_fail(struct ring *ring, enum ring_step step, int error,
                                           uint64_t detail)
{
    ring->step = step;
    ring->error = error;
    ring->detail = detail;
    if (ring->debug)
        fprintf(stderr, "hmmsvm-engine[%d]: step %d failed at 0x%llx: %s\n", (int)getpid(), step,
                (unsigned long long)detail, strerror(error));
    atomic_store(&ring->state, RING_FAILED);
    ring_futex_wake(&ring->state, INT_MAX);
    _exit(1);
}

static void window_freeze_heap(struct ring *ring)
{
    uintptr_t now = (uintptr_t)syscall(SYS_brk, 0);
    uintptr_t end = window_up(now, WINDOW_PAGE);

    if (now != end && (uintptr_t)syscall(SYS_brk, end) != end)
        engine_fail(ring, RING_STEP_BREAK, ENOMEM, now);
}

/* Finds out what is to be copied. */
static void window_measure(struct window_copy *copy)
{
    const ElfW(Ehdr) *ehdr = &__ehdr_start;

    *copy = (struct window_copy){
        .phdr = (const ElfW(Phdr) *)((uintptr_t)ehdr + ehdr->e_phoff),
        .phnum = ehdr->e_phnum,
        .low = SIZE_MAX,
        .align = WINDOW_PAGE,
    };
    for (size_t i = 0; i < copy->phnum; i++) {
        const ElfW(Phdr) *ph = &copy->phdr[i];

        if (ph->p_type != PT_LOAD)
            continue;
        if (window_down(ph->p_vaddr, WINDOW_PAGE) < copy->low)
            copy->low = window_down(ph->p_vaddr, WINDOW_PAGE);
        if (window_up(ph->p_vaddr + ph->p_memsz, WINDOW_PAGE) > copy->high)
            copy->high = window_up(ph->p_vaddr + ph->p_memsz, WINDOW_PAGE);
        if (ph->p_align > copy->align)
            copy->align = ph->p_align;
    }
    /* The header is at the start of the first segment. */
    copy->here = (uintptr_t)ehdr - copy->low;
}

/*
 * Reserves @len bytes of the window for the block, where nothing is yet: the
 * kernel may have loaded this program, or put its stack, into the window.
 */
static uint64_t window_place(const struct window_params *p, struct ring *ring, size_t len,
                             size_t align)
{
    uint64_t at;
    int error = ENOMEM;

    for (at = window_up(p->start, align); at < p->start + p->len && p->start + p->len - at >= len;
         at += window_up(len, align)) {
        void *q = mmap((void *)at, len, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

        if (q == (void *)at)
            return at;
        if (q != MAP_FAILED)
            munmap(q, len);
        else if (errno != EEXIST)
            error = errno;
    }
    engine_fail(ring, RING_STEP_PLACE, error, p->start);
}

static int window_protection(const ElfW(Phdr) *ph)
{
    return (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
           (ph->p_flags & PF_X ? PROT_EXEC : 0);
}

/* Maps @len bytes at @at over the reserved block. */
static void window_map(struct ring *ring, uintptr_t at, size_t len, int prot, int flags, int fd,
                       off_t offset)
{
    if (len && mmap((void *)at, len, prot, flags | MAP_FIXED, fd, offset) == MAP_FAILED)
        engine_fail(ring, RING_STEP_LOAD, errno, at);
}

/* Loads the segments of this program's file to copy->there. */
static void window_load(struct window_copy *copy, struct ring *ring)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        engine_fail(ring, RING_STEP_PROGRAM, errno, 0);
    for (size_t i = 0; i < copy->phnum; i++) {
        const ElfW(Phdr) *ph = &copy->phdr[i];
        uintptr_t start = copy->there + window_down(ph->p_vaddr, WINDOW_PAGE);
        uintptr_t file_end = copy->there + ph->p_vaddr + ph->p_filesz;
        uintptr_t mem_end = copy->there + ph->p_vaddr + ph->p_memsz;
        uintptr_t file_page = window_up(file_end, WINDOW_PAGE);
        int prot = window_protection(ph);

        if (ph->p_type != PT_LOAD)
            continue;
        if (ph->p_filesz)
            window_map(ring, start, file_page - start, prot, MAP_PRIVATE, fd,
                       (off_t)window_down(ph->p_offset, WINDOW_PAGE));
        else
            file_page = start;
        if (mem_end <= file_end)
            continue;
        /* What the file's last page holds after the segment is not zero. */
        if (ph->p_filesz)
            memset((void *)file_end, 0, (mem_end < file_page ? mem_end : file_page) - file_end);
        if (mem_end > file_page)
            window_map(ring, file_page, window_up(mem_end, WINDOW_PAGE) - file_page, prot,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    close(fd);
}

/* ---- the stack ------------------------------------------------------------------- */

/* Copies @len bytes to below *@top, which it moves. Returns where they are. */
static uint64_t window_push(uint64_t *top, const void *data, size_t len)
{
    *top -= len;
    memcpy((void *)*top, data, len);
    return *top;
}

static uint64_t window_push_string(uint64_t *top, const char *s)
{
    return window_push(top, s, strlen(s) + 1);
}

/* The auxiliary vector, as the kernel passed it to this program. */
static const ElfW(auxv_t) *window_auxv(void)
{
    char **p = environ;

    while (*p)
        p++;
    return (const ElfW(auxv_t) *)(p + 1);
}

/*
 * Fills the stack below @top as the kernel does for a new program, out of this
 * program's own arguments. Returns the stack pointer; 0 if they are too many.
 */
static uint64_t window_stack(const struct window_copy *copy, uint64_t top, uint64_t params)
{
    enum { MAX = 64, AUX_MAX = 48 };
    uint64_t vector[2 * MAX + 2 * AUX_MAX + 8];
    size_t n = 0, argc = 0, aux = 0;
    char **env = environ, **argv = environ - 1;

    /* The arguments lie before the environment: NULL, the last, ..., their number. */
    while (argc < MAX && *(uint64_t *)(argv - argc - 1) != argc)
        argc++;
    if (argc >= MAX)
        return 0;
    argv -= argc;

    vector[n++] = argc;
    for (size_t i = 0; i < argc; i++)
        vector[n++] = window_push_string(&top, argv[i]);
    vector[n++] = 0;
    for (; *env; env++) {
        if (n > 2 * MAX)
            return 0;
        vector[n++] = window_push_string(&top, *env);
    }
    vector[n++] = 0;
    for (const ElfW(auxv_t) *a = window_auxv(); a->a_type != AT_NULL; a++) {
        uint64_t value = a->a_un.a_val;

        switch (a->a_type) {
        case AT_SYSINFO_EHDR: /* it stays behind */
            continue;
        case AT_PHDR:
            value = (uint64_t)copy->phdr - copy->here + copy->there;
            break;
        case AT_ENTRY:
            value = copy->there + __ehdr_start.e_entry;
            break;
        case AT_RANDOM:
            value = window_push(&top, (const void *)value, 16);
            break;
        case AT_EXECFN:
        case AT_PLATFORM:
        case AT_BASE_PLATFORM:
            value = value ? window_push_string(&top, (const char *)value) : 0;
            break;
        }
        if (aux++ == AUX_MAX)
            return 0;
        vector[n++] = a->a_type;
        vector[n++] = value;
    }
    vector[n++] = WINDOW_AT;
    vector[n++] = params;
    vector[n++] = AT_NULL;
    vector[n++] = 0;

    top = window_down(top - n * sizeof(*vector), 16);
    memcpy((void *)top, vector, n * sizeof(*vector));
    return top;
}

__attribute__((noreturn)) void window_enter(const struct window_params *given, struct ring *ring)
{
    const size_t ring_len = window_up(sizeof(struct ring), WINDOW_PAGE);
    void (*arrive)(struct window_params *) = window_arrive;
    struct window_params params = *given;
    struct window_copy copy;
    uint64_t at, top, where;

    window_freeze_heap(ring);
    window_measure(&copy);

    /* The program, a page of nothing, the stack, a page of nothing, the ring. */
    params.block_len = window_up(copy.high - copy.low, WINDOW_PAGE) + WINDOW_PAGE + WINDOW_STACK +
                       WINDOW_PAGE + ring_len;
    params.block = window_place(&params, ring, params.block_len,
                                copy.align > WINDOW_ALIGN ? copy.align : WINDOW_ALIGN);
    copy.there = params.block - copy.low;
    window_load(&copy, ring);

    at = params.block + (copy.high - copy.low) + WINDOW_PAGE;
    window_map(ring, at, WINDOW_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    top = at + WINDOW_STACK;
    at = top + WINDOW_PAGE;
    window_map(ring, at, ring_len, PROT_READ | PROT_WRITE, MAP_SHARED, params.ring_fd, 0);
    params.ring = (struct ring *)at;
    params.entry = copy.there + __ehdr_start.e_entry;

    top -= window_up(sizeof(params), 64);
    where = top;
    params.stack = window_stack(&copy, top, where);
    if (!params.stack)
        engine_fail(ring, RING_STEP_LOAD, E2BIG, top);
    memcpy((void *)where, &params, sizeof(params));

    /* window_arrive() works on the new stack, below what it is about to hand over. */
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "call *%1\n\t"
                     "ud2"
                     :
                     : "a"(params.stack), "c"((uintptr_t)arrive - copy.here + copy.there),
                       "D"(where)
                     : "memory");
    __builtin_unreachable();
}

/* ---- in the copy --------------------------------------------------------------------- */

const struct window_params *window_params(void)
{
    return (const struct window_params *)getauxval(WINDOW_AT);
}

uint64_t window_residue(const struct window_params *p)
{
    FILE *f = fopen("/proc/self/maps", "re");
    uint64_t found = 0;
    char line[4352];

    if (!f)
        return 1; /* no address of a mapping, but not 0 either */
    while (!found && fgets(line, sizeof(line), f)) {
        unsigned long long start, end;
        char perms[8] = "", *path;
        bool mirror;

        if (sscanf(line, "%llx-%llx %7s", &start, &end, perms) != 3 || strstr(line, "[vsyscall]"))
            continue;
        if (start >= p->start && end <= p->start + p->len)
            continue;
        /* The mirror is shared, its stand-in inaccessible; neither crosses the window's edge. */
        path = strchr(line, '/');
        mirror = p->mirror_fd >= 0 ? perms[3] == 's' && path : !strcmp(perms, "---p");
        if (start < p->va_start || end > p->va_end || !mirror ||
            (start < p->start + p->len && end > p->start))
            found = start;
    }
    fclose(f);
    return found;
}
