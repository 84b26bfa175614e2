/* SPDX-License-Identifier: MIT */
/*
 * pressure_fuse.c - a device fault on a page that never comes can be killed
 *
 * The page is of a file whose file system is asked to read it and does not answer (fuse.h). The application
 * is killed while the device waits for it: both end, and device memory is free again.
 */
#include "fuse.h"

int main(void)
{
    struct fuse f;
    const char *why;

    devmem_needed();
    why = fuse_mount(&f);
    if (why)
        SKIP("%s", why);
    fuse_kill(&f, fuse_begin(&f, true));
    devmem_used_is(0, 0);
    fuse_unmount(&f);
    return 0;
}
