/* SPDX-License-Identifier: MIT */
/*
 * atomics.h - for tests of atomics: what the device has, memory for them, and waiting for a kernel
 *
 * A kernel that waits for the host gives up after SPINS reads, so that one which never sees the
 * host's write ends, and the test fails.
 *
 * Locking: none; the host's side of shared memory is accessed with the compiler's atomics.
 */
#ifndef CONFORMANCE_ATOMICS_H
#define CONFORMANCE_ATOMICS_H

#include "conformance.h"

#include <sched.h>

#define TO_TEXT_(x) #x
#define TO_TEXT(x)  TO_TEXT_(x)
#define SPINS       400000000

/* What sources of kernels begin with: await() gives whether the value came. */
#define ATOMICS_SOURCE                                                                            \
    "#define ALL memory_scope_all_svm_devices\n"                                                  \
    "int await(volatile global atomic_uint *p, uint value) {\n"                                   \
    "    for (uint i = 0; i < " TO_TEXT(SPINS) "; i++)\n"                                         \
    "        if (atomic_load_explicit(p, memory_order_relaxed, ALL) == value) return 1;\n"        \
    "    return 0;\n"                                                                             \
    "}\n"

/* In OpenCL 2.x all orders and scopes are a must. */
MAYBE_UNUSED static cl_device_atomic_capabilities atomic_caps(cl_device_info which)
{
    cl_device_atomic_capabilities caps = ~(cl_device_atomic_capabilities)0;

    if (device_version >= 300)
        OK(clGetDeviceInfo(device, which, sizeof(caps), &caps, NULL));
    return caps;
}

MAYBE_UNUSED static void need_atomics(cl_device_info which, cl_device_atomic_capabilities wanted)
{
    cl_device_atomic_capabilities caps = atomic_caps(which);

    if ((wanted & ~caps) != 0)
        SKIP("the device's atomic capabilities 0x%llx (query 0x%x) lack 0x%llx",
             (unsigned long long)caps, which, (unsigned long long)(wanted & ~caps));
}

/* Orders and the widest scope, for tests between host and device. */
MAYBE_UNUSED static void need_host_atomics(cl_device_atomic_capabilities order)
{
    need_svm(CL_DEVICE_SVM_FINE_GRAIN_BUFFER | CL_DEVICE_SVM_ATOMICS);
    need_atomics(CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES, order | CL_DEVICE_ATOMIC_SCOPE_ALL_DEVICES);
}

/* Zeroed memory that host and device may use atomics on at once. @kind 0 is SVM, 1 the system's,
   which may not be there: NULL. */
MAYBE_UNUSED static void *atomic_memory(unsigned kind, size_t size)
{
    void *p;

    if (kind == 0)
        p = svm_alloc(CL_MEM_SVM_FINE_GRAIN_BUFFER | CL_MEM_SVM_ATOMICS, size);
    else if (svm_caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM)
        p = aligned_alloc(128, (size + 127) / 128 * 128);
    else
        return NULL;
    CHECK(p != NULL);
    return memset(p, 0, size);
}

#define ATOMIC_KINDS 2

/* Waits until *p is @value, as the running command @event will make it. */
MAYBE_UNUSED static void host_await(const cl_uint *p, cl_uint value, cl_event event)
{
    for (unsigned i = 0;; i++) {
        if (__atomic_load_n(p, __ATOMIC_RELAXED) == value)
            return;
        if (i % 1024 != 1023)
            continue;
        sched_yield();
        if (event_status(event) <= CL_COMPLETE && __atomic_load_n(p, __ATOMIC_RELAXED) != value)
            FAIL("the kernel ended without the value %u; there is %u", value, *p);
    }
}

#endif /* CONFORMANCE_ATOMICS_H */
