/* SPDX-License-Identifier: MIT */
/*
 * Words for what went wrong, kept for each thread, and for HMMSVM_DEBUG.
 *
 * Locking: none.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"

static __thread char error_text[1024];

/* Keeps the text for hmmsvm_last_error() and returns @err. */
int error_set(int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(error_text, sizeof(error_text), fmt, ap);
    va_end(ap);
    return err;
}

void error_clear(void)
{
    error_text[0] = '\0';
}

HMMSVM_API const char *hmmsvm_last_error(void)
{
    return error_text;
}

/* Says what is done, if HMMSVM_DEBUG asks for it. One write, so lines stay whole. */
void debug_say(const struct hmmsvm_device *dev, const char *fmt, ...)
{
    char line[1200];
    va_list ap;
    int n;

    if (!dev->config.debug)
        return;
    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (n > 0)
        fprintf(stderr, "hmmsvm[%d]: %s\n", (int)getpid(), line);
}

HMMSVM_API const char *hmmsvm_status_name(uint32_t status)
{
    static const char *const names[] = {
        [HMMSVM_OK] = "ok",
        [HMMSVM_FAILED] = "failed",
        [HMMSVM_BAD_ADDRESS] = "bad-address",
        [HMMSVM_CRASHED] = "crashed",
        [HMMSVM_DEVICE_LOST] = "device-lost",
        [HMMSVM_NO_MEMORY] = "no-memory",
        [HMMSVM_CANCELLED] = "cancelled",
        [HMMSVM_REFUSED] = "refused",
        [HMMSVM_HUNG] = "hung",
    };

    return status < sizeof(names) / sizeof(*names) ? names[status] : "unknown";
}

HMMSVM_API const char *hmmsvm_mode_name(enum hmmsvm_mode mode)
{
    switch (mode) {
    case HMMSVM_MODE_AUTO:
        return "auto";
    case HMMSVM_MODE_KERNEL:
        return "kernel";
    case HMMSVM_MODE_DIRECT:
        return "direct";
    }
    return "unknown";
}
