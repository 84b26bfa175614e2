/* SPDX-License-Identifier: MIT */
/*
 * svm_levels.c - no level of shared virtual memory crosses the wire, whatever the server's device can
 * do: the client's device says so, and every way to share a pointer is refused with an error, where
 * nothing is allocated, set or enqueued.
 */
#include "remote.h"

#include <CL/cl_ext.h>

static const char source[] = "kernel void add(global uint *a) { a[get_global_id(0)] += 5; }\n";

int main(void)
{
    static cl_uint a[64];

    open_all();
    cl_kernel add = kernel_of(build_all(source), "add");
    for (int i = 0; i < SERVERS; i++) {
        static char extensions[16384];
        cl_device_svm_capabilities levels = ~(cl_device_svm_capabilities)0;

        CL(clGetDeviceInfo(servers[i].device, CL_DEVICE_SVM_CAPABILITIES, sizeof(levels), &levels,
                           NULL));
        EQ(levels, 0);
        CL(clGetDeviceInfo(servers[i].device, CL_DEVICE_EXTENSIONS, sizeof(extensions), extensions,
                           NULL));
        CHECK(strstr(extensions, "cl_intel_unified_shared_memory") == NULL);
        CHECK(strstr(extensions, "cl_ext_buffer_device_address") == NULL);
        CHECK(clEnqueueSVMMap(servers[i].queue, CL_TRUE, CL_MAP_WRITE, a, sizeof(a), 0, NULL,
                              NULL) == CL_INVALID_OPERATION);
        CHECK(clEnqueueSVMMemcpy(servers[i].queue, CL_TRUE, a, a + 32, 64, 0, NULL, NULL) ==
              CL_INVALID_OPERATION);
        CHECK(clEnqueueSVMMemFill(servers[i].queue, a, a, 4, 64, 0, NULL, NULL) ==
              CL_INVALID_OPERATION);
    }
    CHECK(clSVMAlloc(ctx, CL_MEM_READ_WRITE, 4096, 0) == NULL);
    CHECK(clSVMAlloc(ctx, CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER, 4096, 0) == NULL);
    CHECK(clSVMAlloc(ctx, CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER | CL_MEM_SVM_ATOMICS, 4096,
                     0) == NULL);
    EQ(clSetKernelArgSVMPointer(add, 0, a), CL_INVALID_OPERATION);
    EQ(server_stop(&servers[0]), 0);
    EQ(server_stop(&servers[1]), 0);
    return 0;
}
