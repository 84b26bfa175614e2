/* SPDX-License-Identifier: MIT */
/*
 * capabilities_atomic_features.c - OpenCL 3.0 C, section 6.2.1 (features), and API, section 4.2:
 * the compiler has a feature of atomics exactly if CL_DEVICE_OPENCL_C_FEATURES lists it, and then
 * the device can do both the atomic operations and, where the feature covers them, the fences
 */
#include "conformance.h"

/* Which of the macros are defined, as bits. */
static const char source[] =
    "kernel void defined_macros(global uint *p) {\n"
    "    uint m = 0;\n"
    "#ifdef __opencl_c_atomic_order_acq_rel\n"
    "    m |= 1;\n"
    "#endif\n"
    "#ifdef __opencl_c_atomic_order_seq_cst\n"
    "    m |= 2;\n"
    "#endif\n"
    "#ifdef __opencl_c_atomic_scope_device\n"
    "    m |= 4;\n"
    "#endif\n"
    "#ifdef __opencl_c_atomic_scope_all_devices\n"
    "    m |= 8;\n"
    "#endif\n"
    "    *p = m;\n"
    "}\n";

static const struct {
    const char *name;
    cl_device_atomic_capabilities bit;
} features[] = {
    { "__opencl_c_atomic_order_acq_rel", CL_DEVICE_ATOMIC_ORDER_ACQ_REL },
    { "__opencl_c_atomic_order_seq_cst", CL_DEVICE_ATOMIC_ORDER_SEQ_CST },
    { "__opencl_c_atomic_scope_device", CL_DEVICE_ATOMIC_SCOPE_DEVICE },
    { "__opencl_c_atomic_scope_all_devices", CL_DEVICE_ATOMIC_SCOPE_ALL_DEVICES },
};

int main(int argc, char **argv)
{
    static cl_name_version list[256];
    cl_device_atomic_capabilities memory, fence;
    cl_uint macros = 0;
    size_t bytes;
    cl_int err;

    test_open(argc, argv);
    if (device_version < 300)
        SKIP("features are new in OpenCL 3.0");
    OK(clGetDeviceInfo(device, CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES, sizeof(memory), &memory, NULL));
    OK(clGetDeviceInfo(device, CL_DEVICE_ATOMIC_FENCE_CAPABILITIES, sizeof(fence), &fence, NULL));
    OK(clGetDeviceInfo(device, CL_DEVICE_OPENCL_C_FEATURES, sizeof(list), list, &bytes));

    cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, sizeof(macros), NULL, &err);
    OK(err);
    cl_kernel kernel = get_kernel(source, "defined_macros");
    OK(clSetKernelArg(kernel, 0, sizeof(buffer), &buffer));
    run(queue, kernel, 1, 0, NULL, NULL);
    OK(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, sizeof(macros), &macros, 0, NULL, NULL));

    for (unsigned i = 0; i < 4; i++) {
        bool listed = false, defined = macros >> i & 1;

        for (size_t j = 0; j < bytes / sizeof(list[0]); j++)
            listed |= strcmp(list[j].name, features[i].name) == 0;
        if (listed != defined)
            FAIL("%s is %s, but %s", features[i].name, listed ? "listed" : "not listed",
                 defined ? "defined" : "not defined");
        if (listed != ((memory & features[i].bit) != 0))
            FAIL("%s is %s, but CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES is 0x%llx", features[i].name,
                 listed ? "listed" : "not listed", (unsigned long long)memory);
        if (listed && (fence & features[i].bit) == 0)
            FAIL("%s is listed, but CL_DEVICE_ATOMIC_FENCE_CAPABILITIES is 0x%llx",
                 features[i].name, (unsigned long long)fence);
    }
    return 0;
}
