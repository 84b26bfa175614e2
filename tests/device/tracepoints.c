/* SPDX-License-Identifier: MIT */
/* tracepoints.c - the kernel's tracing says the same as the event ring */
#include <sys/mount.h>
#include <sys/stat.h>

#include "devmem.h"

#define TRACING "/sys/kernel/tracing/"

static char lines[1 << 20];

static void read_trace(void)
{
    int fd = open(TRACING "trace", O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got;

    CHECK(fd >= 0);
    while (n < sizeof(lines) - 1 && (got = read(fd, lines + n, sizeof(lines) - 1 - n)) > 0)
        n += (size_t)got;
    close(fd);
    lines[n] = '\0';
}

/* How many lines of event @name there are for @p, with @pages pages and @flags. */
static unsigned count(const char *name, const void *p, unsigned pages, const char *flags)
{
    char text[160];
    unsigned n = 0;

    snprintf(text, sizeof(text), "address=0x%llx pages=%u flags=%s took_ns=",
             (unsigned long long)(uintptr_t)p, pages, flags);
    for (char *at = lines; (at = strstr(at, text)); at++) {
        char *line = at;

        while (line > lines && line[-1] != '\n')
            line--;
        n += memmem(line, (size_t)(at - line), name, strlen(name)) != NULL;
    }
    return n;
}

int main(void)
{
    struct harness h;
    struct agent a;
    uint64_t *p;

    devmem_open(&h, 1, "remote");
    if (access(TRACING "trace", F_OK) && mount("tracefs", TRACING, "tracefs", 0, NULL))
        SKIP("no tracefs: %s", strerror(errno));
    if (access(TRACING "events/hmmsvm/enable", W_OK))
        SKIP("this kernel traces no events of the module");
    agent_begin(&a, &h);
    p = devmem_small(1);
    devmem_fill(p, DEVMEM_BLOCK_PAGES, 1);
    CHECK(!memory_put(TRACING "trace", "0"));
    close(open(TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC));
    CHECK(!memory_put(TRACING "events/hmmsvm/enable", "1"));
    CHECK(!memory_put(TRACING "tracing_on", "1"));

    agent_read(&a, &p[512]);
    devmem_move(&h, p, 32 * HARNESS_PAGE, DEVMEM_TO_DEVICE);
    agent_write(&a, &p[3 * 512], 9);
    CHECK_EQ(p[3 * 512], 9);
    devmem_move(&h, p, 32 * HARNESS_PAGE, DEVMEM_TO_SYSTEM);
    CHECK(!mprotect(p, HARNESS_PAGE, PROT_NONE));
    agent_dies(&a, AGENT_READ, p);

    CHECK(!memory_put(TRACING "tracing_on", "0"));
    CHECK(!memory_put(TRACING "events/hmmsvm/enable", "0"));
    read_trace();
    CHECK_EQ(count("hmmsvm_device_fault:", p + 512, DEVMEM_BLOCK_PAGES, "remote"), 1);
    CHECK_EQ(count("hmmsvm_to_device:", p, 32, ""), 1);
    CHECK_EQ(count("hmmsvm_cpu_fault:", p, 16, ""), 1);
    CHECK_EQ(count("hmmsvm_to_system:", p, 16, ""), 1);
    CHECK_EQ(count("hmmsvm_failed:", p, 0, ""), 1);
    CHECK(strstr(lines, "flags=write took_ns="));
    harness_close(&h);
    return 0;
}
