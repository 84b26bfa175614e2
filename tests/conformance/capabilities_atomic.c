/* SPDX-License-Identifier: MIT */
/*
 * capabilities_atomic.c - OpenCL 3.0 API, section 4.2 (CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES,
 * CL_DEVICE_ATOMIC_FENCE_CAPABILITIES): the mandated minimum is there, and orders and scopes are
 * hierarchical
 */
#include "conformance.h"

#define ORDERS (CL_DEVICE_ATOMIC_ORDER_RELAXED | CL_DEVICE_ATOMIC_ORDER_ACQ_REL | CL_DEVICE_ATOMIC_ORDER_SEQ_CST)
#define SCOPES                                                                                    \
    (CL_DEVICE_ATOMIC_SCOPE_WORK_ITEM | CL_DEVICE_ATOMIC_SCOPE_WORK_GROUP                         \
     | CL_DEVICE_ATOMIC_SCOPE_DEVICE | CL_DEVICE_ATOMIC_SCOPE_ALL_DEVICES)

/* What the wider of two implies. */
static void implies(cl_device_atomic_capabilities caps, cl_device_atomic_capabilities wide,
                    cl_device_atomic_capabilities narrow)
{
    if ((caps & wide) && !(caps & narrow))
        FAIL("capabilities 0x%llx have 0x%llx, but not 0x%llx", (unsigned long long)caps,
             (unsigned long long)wide, (unsigned long long)narrow);
}

static void check(cl_device_info name, cl_device_atomic_capabilities minimum)
{
    cl_device_atomic_capabilities caps;
    size_t size;

    OK(clGetDeviceInfo(device, name, sizeof(caps), &caps, &size));
    EQ(size, sizeof(caps));
    EQ(caps & ~(ORDERS | SCOPES), 0);
    EQ(caps & minimum, minimum);
    implies(caps, CL_DEVICE_ATOMIC_ORDER_SEQ_CST, CL_DEVICE_ATOMIC_ORDER_ACQ_REL);
    implies(caps, CL_DEVICE_ATOMIC_ORDER_ACQ_REL, CL_DEVICE_ATOMIC_ORDER_RELAXED);
    implies(caps, CL_DEVICE_ATOMIC_SCOPE_ALL_DEVICES, CL_DEVICE_ATOMIC_SCOPE_DEVICE);
    implies(caps, CL_DEVICE_ATOMIC_SCOPE_DEVICE, CL_DEVICE_ATOMIC_SCOPE_WORK_GROUP);
}

int main(int argc, char **argv)
{
    test_open(argc, argv);
    if (device_version < 300)
        SKIP("the queries are new in OpenCL 3.0");
    check(CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES,
          CL_DEVICE_ATOMIC_ORDER_RELAXED | CL_DEVICE_ATOMIC_SCOPE_WORK_GROUP);
    check(CL_DEVICE_ATOMIC_FENCE_CAPABILITIES,
          CL_DEVICE_ATOMIC_ORDER_RELAXED | CL_DEVICE_ATOMIC_ORDER_ACQ_REL
              | CL_DEVICE_ATOMIC_SCOPE_WORK_GROUP);
    return 0;
}
