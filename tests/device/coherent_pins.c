/* SPDX-License-Identifier: MIT */
/*
 * coherent_pins.c - others hold pages of device memory that the CPU reaches: one in a
 * pipe stays where it is until it was read, pages that are pinned for long are moved to
 * system memory by the kernel, which does not tell the module
 */
#include <linux/io_uring.h>
#include <sys/uio.h>

#include "devmem.h"

#define PAGES 32ul

/* Pins a range for long, until the descriptor is closed; -1 if this kernel cannot. */
static int pin(void *start, size_t length)
{
    struct iovec range = {start, length};
    struct io_uring_params params = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 1, &params);

    if (ring < 0)
        return -1;
    CHECK(!syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &range, 1));
    return ring;
}

int main(void)
{
    unsigned index = devmem_coherent();
    struct hmmsvm_stats s;
    struct iovec piece;
    struct harness h;
    struct agent a;
    uint64_t *p, word;
    int pipe_fd[2], ring;

    CHECK(!pipe(pipe_fd));
    devmem_used_is(index, 0);
    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(1);
    for (unsigned i = 0; i < PAGES; i++)
        p[i * 512] = 100 + i;
    DEVMEM_REQUEST(&h, p, PAGES * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, PAGES, 0, 0);

    /* A system call gets at them where they are. */
    harness_mark(&h);
    CHECK_EQ(write(pipe_fd[1], &p[20 * 512], 8), 8);
    CHECK_EQ(read(pipe_fd[0], &p[21 * 512], 8), 8);
    CHECK_EQ(agent_read(&a, &p[21 * 512]), 120);
    CHECK_EQ(harness_delta(&h).device_pages, PAGES);

    ring = pin(p, 16 * HARNESS_PAGE);
    if (ring >= 0) {
        s = harness_delta(&h);
        CHECK_EQ(s.device_pages, PAGES - 16);
        CHECK_EQ(s.pages_to_system, 0);
        devmem_used_is(index, PAGES - 16);
        /* They cannot leave; both still use them. */
        DEVMEM_REQUEST(&h, p, 16 * HARNESS_PAGE, DEVMEM_TO_DEVICE, 0, 0, 0, 16);
        for (unsigned i = 0; i < 16; i++) {
            CHECK_EQ(p[i * 512], 100 + i);
            CHECK_EQ(agent_add(&a, &p[i * 512], 1), 100 + i);
            CHECK_EQ(p[i * 512], 101 + i);
        }
        close(ring);
    } else {
        printf("no io_uring: %s\n", strerror(errno));
    }

    /* A page that waits in a pipe. */
    piece = (struct iovec){&p[30 * 512], 8};
    CHECK_EQ(vmsplice(pipe_fd[1], &piece, 1, 0), 8);
    harness_mark(&h);
    DEVMEM_REQUEST(&h, p + 30 * 512, 2 * HARNESS_PAGE, DEVMEM_TO_SYSTEM, 0, 1, 0, 1);
    CHECK_EQ(harness_delta(&h).pages_to_system, 1);
    CHECK_EQ(agent_add(&a, &p[30 * 512], 1), 130);
    p[30 * 512]++;

    /* It stays when the context ends, as nobody's, and is the application's as before. */
    agent_end(&a);
    harness_close(&h);
    devmem_used_is(index, 1);
    CHECK_EQ(p[30 * 512], 132);
    CHECK_EQ(read(pipe_fd[0], &word, 8), 8);
    CHECK_EQ(word, 132);
    CHECK_EQ(p[29 * 512], 129);
    CHECK(!munmap(p, DEVMEM_BLOCK));
    devmem_used_is(index, 0);
    return 0;
}
