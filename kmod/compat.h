/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels the module builds on. The only file with
 * version checks.
 */
#ifndef HMMSVM_COMPAT_H
#define HMMSVM_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "hmmsvm needs Linux 6.12 or newer"
#endif

#include <linux/slab.h>

/* Typed allocation, since 7.0. */
#ifndef kmalloc_obj
#define kmalloc_obj(obj, gfp)	kmalloc(sizeof(obj), gfp)
#define kzalloc_obj(obj, gfp)	kzalloc(sizeof(obj), gfp)
#endif

#endif /* HMMSVM_COMPAT_H */
