/* SPDX-License-Identifier: MIT */
/* advice.c - what is said of a range decides there, whatever the policy, until it is taken back */
#include "devmem.h"

#define DEVICE HMMSVM_ADVICE_DEVICE
#define SYSTEM HMMSVM_ADVICE_SYSTEM
#define READ_MOSTLY HMMSVM_ADVICE_READ_MOSTLY
#define REGION 16ul

static struct harness h;
static struct agent a;
static uint64_t *p;

/* All to system memory; then one device read at each of the first four regions: pages that move. */
static uint64_t moved(unsigned region)
{
    struct hmmsvm_stats s;

    harness_mark(&h);
    CHECK_EQ(agent_read(&a, &p[region * REGION * 512 + 512]), 1 + region * REGION);
    s = harness_delta(&h);
    CHECK_EQ(s.policy_errors + s.failed_faults + s.failed_kind, 0);
    return s.pages_to_device;
}

static void home(void)
{
    devmem_move(&h, p, DEVMEM_BLOCK, DEVMEM_TO_SYSTEM);
    CHECK_EQ(devmem_resident(&h), 0);
}

static void advise(unsigned first, unsigned count, unsigned set, unsigned clear)
{
    CHECK_OK(hmmsvm_device_advise(h.dev, p + first * REGION * 512, count * REGION * HARNESS_PAGE, set,
                                  clear));
}

int main(void)
{
    struct hmmsvm_stats s;

    devmem_open(&h, 1, "remote");
    agent_begin(&a, &h);
    p = devmem_small(1);
    for (unsigned i = 0; i < DEVMEM_BLOCK_PAGES; i++)
        p[i * 512] = i;

    /* Nothing moves; with DEVICE the region does, though the policy is remote. */
    CHECK_EQ(moved(0), 0);
    harness_mark(&h);
    advise(0, 2, DEVICE, 0);
    CHECK_EQ(harness_delta(&h).pages_to_device, 0);
    CHECK_EQ(moved(0), REGION);
    CHECK_EQ(moved(1), REGION);
    CHECK_EQ(moved(2), 0);
    /* A part of it has other advice. */
    home();
    advise(1, 1, SYSTEM, 0);
    CHECK_EQ(moved(1), 0);
    CHECK_EQ(moved(0), REGION);
    advise(1, 1, DEVICE, 0);
    CHECK_EQ(moved(1), REGION);
    home();
    advise(0, 32, 0, ~0u);
    CHECK_EQ(moved(0) + moved(1) + moved(2), 0);

    /* With a policy that migrates SYSTEM and READ_MOSTLY keep it; one page of a region is enough. */
    CHECK_OK(hmmsvm_device_policy(h.dev, "touch", NULL));
    advise(0, 1, SYSTEM, 0);
    advise(1, 1, READ_MOSTLY, 0);
    CHECK_OK(hmmsvm_device_advise(h.dev, &p[(2 * REGION + 1) * 512 + 9], 1, SYSTEM, 0));
    /* The entries of before are there: away with them. */
    CHECK(!mprotect(p, DEVMEM_BLOCK, PROT_READ));
    CHECK(!mprotect(p, DEVMEM_BLOCK, PROT_READ | PROT_WRITE));
    CHECK_EQ(moved(0), 0);
    CHECK_EQ(moved(1), 0);
    CHECK_EQ(moved(2), 0);
    CHECK_EQ(moved(3), REGION);
    /* A request is a request. */
    CHECK_EQ(devmem_move(&h, p, 2 * REGION * HARNESS_PAGE, DEVMEM_TO_DEVICE), 2 * REGION);
    home();
    /* READ_MOSTLY goes, and takes nothing else with it; both at once. */
    advise(0, 2, READ_MOSTLY, 0);
    advise(0, 2, 0, READ_MOSTLY);
    CHECK(!mprotect(p, DEVMEM_BLOCK, PROT_READ));
    CHECK(!mprotect(p, DEVMEM_BLOCK, PROT_READ | PROT_WRITE));
    CHECK_EQ(moved(0), 0);
    CHECK_EQ(moved(1), REGION);
    advise(0, 2, DEVICE | READ_MOSTLY, 0);
    home();
    CHECK_EQ(moved(0), 0);
    advise(0, 2, 0, READ_MOSTLY);
    advise(0, 2, DEVICE, 0);
    CHECK_EQ(moved(0), REGION);

    /* It stays with the addresses, not with the memory. */
    CHECK_OK(hmmsvm_device_policy(h.dev, "remote", NULL));
    CHECK(mmap(p, DEVMEM_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
          p);
    CHECK(!madvise(p, DEVMEM_BLOCK, MADV_NOHUGEPAGE));
    harness_mark(&h);
    agent_read(&a, &p[REGION * 512]);
    agent_read(&a, &p[2 * REGION * 512]);
    s = harness_delta(&h);
    CHECK_EQ(s.pages_to_device, REGION);
    CHECK_EQ(s.pages_zeroed, REGION);

    CHECK_EQ(hmmsvm_device_advise(h.dev, p, 1, DEVICE | SYSTEM, 0), -EINVAL);
    CHECK_EQ(hmmsvm_device_advise(h.dev, p, 1, 1u << 9, 0), -EINVAL);
    CHECK_EQ(hmmsvm_device_advise(h.dev, p, SIZE_MAX, DEVICE, 0), -EINVAL);
    agent_end(&a);
    harness_close(&h);
    return 0;
}
