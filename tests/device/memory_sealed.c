/* SPDX-License-Identifier: MIT */
/* memory_sealed.c - what only the application's own mappings may show (memfd_secret) the device does not see */
#include "agent.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p;
    int fd;

    agent_open(&a, &h);
    fd = (int)syscall(SYS_memfd_secret, 0);
    if (fd < 0)
        SKIP("no memfd_secret(2): %s (CONFIG_SECRETMEM, secretmem.enable=1)", strerror(errno));
    CHECK(!ftruncate(fd, 2 * HARNESS_PAGE));
    p = mmap(NULL, 2 * HARNESS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    p[0] = 4711; /* the second page nobody has touched */
    agent_dies(&a, AGENT_READ, p);
    agent_begin(&a, &h);
    agent_dies(&a, AGENT_WRITE, p);
    agent_begin(&a, &h);
    agent_dies(&a, AGENT_READ, p + 512);
    CHECK_EQ(p[0], 4711);
    CHECK_EQ(p[512], 0);

    agent_begin(&a, &h);
    agent_end(&a);
    hmmsvm_device_info(h.dev, &h.info);
    CHECK_EQ(h.info.resets, 0);
    harness_close(&h);
    return 0;
}
