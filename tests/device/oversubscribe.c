/* SPDX-License-Identifier: MIT */
/*
 * oversubscribe.c - a buffer twice the size of device memory is right under every
 * placement and eviction policy
 *
 * Each round the device adds to every word of a stride over the whole buffer,
 * twice, and the CPU checks all of it. The policies are those that the module
 * has; where one moves pages it has to evict others.
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "devmem.h"

struct work {
    uint64_t *p;
    uint64_t pages;
    uint64_t add;
};

HARNESS_WG static void sweep(uint8_t *args, uint8_t *ctx, unsigned long x, unsigned long y,
                             unsigned long z)
{
    struct work *w = HARNESS_ARG(struct work, args, 0);

    (void)ctx, (void)x, (void)y, (void)z;
    for (int round = 0; round < 2; round++)
        for (uint64_t i = 0; i < w->pages; i++)
            w->p[i * 512 + i % 512] += w->add;
}

static bool policy_name(int fd, unsigned kind, unsigned index, char *name)
{
    struct hmmsvm_policy_info info = {.size = sizeof(info), .kind = kind, .index = index};

    if (ioctl(fd, HMMSVM_IOC_POLICY_INFO, &info)) {
        CHECK_EQ(errno, ENOENT);
        return false;
    }
    memcpy(name, info.name, sizeof(info.name));
    return true;
}

int main(void)
{
    char placement[HMMSVM_POLICY_NAME], eviction[HMMSVM_POLICY_NAME];
    const char *node = getenv("HMMSVM_DEVICE");
    bool slow = getenv("HMMSVM_TEST_SLOW");
    unsigned combinations = 0, moving = 0;
    struct hmmsvm_memory memory;
    struct hmmsvm_stats s;
    struct harness h;
    struct work *w;
    int fd;

    devmem_any_kind = true;
    devmem_open(&h, 1, "remote");
    fd = open(node && *node ? node : "/dev/hmmsvm", O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_OK(hmmsvm_device_memory(h.dev, &memory));
    devmem_at_most(&memory, 256);
    w = harness_map(HARNESS_PAGE);
    w->pages = 2 * memory.bytes / HARNESS_PAGE;
    w->p = memory_blocks(w->pages / DEVMEM_BLOCK_PAGES);

    for (unsigned i = 0; policy_name(fd, HMMSVM_POLICY_PLACEMENT, i, placement); i++)
        for (unsigned k = 0; policy_name(fd, HMMSVM_POLICY_EVICTION, k, eviction); k++) {
            /* Where all of them take minutes, one for each placement, a different one each time. */
            if (slow && k != i % 4)
                continue;
            /* Huge and small pages in turns. */
            CHECK(!madvise(w->p, w->pages * HARNESS_PAGE,
                           combinations % 2 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
            devmem_fill(w->p, w->pages, combinations);
            w->add = combinations + 1;
            CHECK_OK(hmmsvm_device_policy(h.dev, placement, eviction));
            harness_mark(&h);
            harness_run_ok(&h, sweep, w, 1);
            /* What came either went or is there, once nothing is under way any more. */
            CHECK_OK(hmmsvm_device_policy(h.dev, "remote", NULL));
            for (unsigned n = 0; n < 100; n++) {
                s = harness_delta(&h);
                if (h.mark.device_pages + s.pages_to_device == s.pages_to_system + s.device_pages)
                    break;
                usleep(100000);
            }
            printf("%-9s %-6s %7llu device faults, %6llu pages there, %6llu evicted, %6llu refaults, "
                   "%6llu back for the CPU, %5llu resident\n", placement, eviction, (unsigned long long)s.device_faults,
                   (unsigned long long)s.pages_to_device,
                   (unsigned long long)s.pages_to_system_evicted, (unsigned long long)s.refaults,
                   (unsigned long long)s.pages_to_system_cpu, (unsigned long long)s.device_pages);
            CHECK_EQ(s.policy_errors, 0);
            CHECK_EQ(s.failed_faults, 0);
            CHECK_EQ(s.failed_no_system_memory, 0);
            CHECK_LE(s.device_pages, memory.bytes / HARNESS_PAGE);
            CHECK_EQ(h.mark.device_pages + s.pages_to_device, s.pages_to_system + s.device_pages);
            CHECK_LE(s.pages_to_system_evicted + s.pages_to_system_cpu, s.pages_to_system);
            /* Beyond what went of its own accord. */
            if (s.pages_to_device - (s.pages_to_system - s.pages_to_system_evicted) >
                memory.bytes / HARNESS_PAGE) {
                moving++;
                CHECK_GE(s.evictions, 1);
            }
            devmem_check(w->p, w->pages, combinations + 2 * w->add);
            /* Begin anew, with everything in system memory. */
            devmem_move(&h, w->p, w->pages * HARNESS_PAGE, HMMSVM_MIGRATE_TO_SYSTEM);
            CHECK(!madvise(w->p, w->pages * HARNESS_PAGE, MADV_DONTNEED));
            combinations++;
        }
    CHECK_GE(combinations, slow ? 5 : 20);
    /* Those that move unasked: all but remote, or those that see that it does not pay. */
    CHECK_GE(moving, slow ? 2 : 8);
    printf("%u combinations, %u of them moved more than fits\n", combinations, moving);
    harness_close(&h);
    return 0;
}
