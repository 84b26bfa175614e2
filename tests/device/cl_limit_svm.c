/* SPDX-License-Identifier: MIT */
/* cl_limit_svm.c - 10,000 SVM allocations at once, of all sizes: a kernel finds each, and all can be freed */
#include "cl_harness.h"

#define COUNT 10000

static const char source[] =
    "kernel void visit(global ulong *where, global uint *words) {\n"
    "    size_t i = get_global_id(0);\n"
    "    global uint *p = (global uint *)where[i];\n"
    "    p[0] = (uint)i;\n"
    "    p[words[i] - 1] = (uint)i + 1;\n"
    "}\n";

int main(void)
{
    static cl_ulong where[COUNT];
    static cl_uint words[COUNT];
    cl_device_svm_capabilities caps;
    cl_svm_mem_flags flags = CL_MEM_READ_WRITE;
    cl_event event;

    cl_open();
    CL(clGetDeviceInfo(cl_device, CL_DEVICE_SVM_CAPABILITIES, sizeof(caps), &caps, NULL));
    if (caps & CL_DEVICE_SVM_FINE_GRAIN_BUFFER)
        flags |= CL_MEM_SVM_FINE_GRAIN_BUFFER;
    cl_kernel visit = cl_get_kernel(source, "visit");
    for (cl_uint i = 0; i < COUNT; i++) {
        /* 8 bytes to 8 KiB, and now and then more. */
        words[i] = 2u << i % 11;
        if (i % 1000 == 0)
            words[i] = 1u << 16;
        uint32_t *p = clSVMAlloc(cl_ctx, flags, words[i] * sizeof(*p), 0);
        if (p == NULL)
            FAIL("allocation %u of %zu bytes fails", i, words[i] * sizeof(*p));
        p[0] = p[words[i] - 1] = 0;
        where[i] = (cl_ulong)(uintptr_t)p;
    }
    CL(clSetKernelArgSVMPointer(visit, 0, where));
    CL(clSetKernelArgSVMPointer(visit, 1, words));
    cl_run(cl_queue, visit, COUNT, 16, &event);
    CL(clWaitForEvents(1, &event));
    CL(clReleaseEvent(event));
    for (cl_uint i = 0; i < COUNT; i++) {
        uint32_t *p = (uint32_t *)(uintptr_t)where[i];

        EQ(p[0], i);
        EQ(p[words[i] - 1], i + 1);
    }
    for (cl_uint i = 0; i < COUNT; i++)
        clSVMFree(cl_ctx, (void *)(uintptr_t)where[i]);
    return 0;
}
