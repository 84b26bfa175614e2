/* SPDX-License-Identifier: MIT */
/*
 * What is no device type is refused with CL_INVALID_DEVICE_TYPE by clGetDeviceIDs and
 * clCreateContextFromType (OpenCL 3.0, 4.2 and 4.4); each real one is not, alone and with others,
 * nor is -1, which programs write for CL_DEVICE_TYPE_ALL. There is no context of a type that no
 * device has.
 */
#include "cl_harness.h"

int main(void)
{
    static const cl_device_type real[] = {
        CL_DEVICE_TYPE_DEFAULT, CL_DEVICE_TYPE_CPU, CL_DEVICE_TYPE_GPU, CL_DEVICE_TYPE_ACCELERATOR,
        CL_DEVICE_TYPE_CUSTOM, CL_DEVICE_TYPE_ALL, CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_CPU,
        (cl_device_type)-1,
    };
    static const cl_device_type unreal[] = { 0, 1u << 5, CL_DEVICE_TYPE_GPU | 1u << 30, 1ull << 40 };
    cl_platform_id platform;
    cl_context context;
    cl_device_id id;
    cl_uint n, missing = 0;
    cl_int err;
    size_t i;

    cl_open();
    CL(clGetDeviceInfo(cl_device, CL_DEVICE_PLATFORM, sizeof(platform), &platform, NULL));
    cl_context_properties properties[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)platform, 0 };

    for (i = 0; i < sizeof(unreal) / sizeof(*unreal); i++) {
        EQ(clGetDeviceIDs(platform, unreal[i], 1, &id, &n), CL_INVALID_DEVICE_TYPE);
        context = clCreateContextFromType(properties, unreal[i], NULL, NULL, &err);
        EQ(err, CL_INVALID_DEVICE_TYPE);
        CHECK(context == NULL);
    }
    for (i = 0; i < sizeof(real) / sizeof(*real); i++) {
        cl_int found = clGetDeviceIDs(platform, real[i], 1, &id, &n);

        if (found != CL_DEVICE_NOT_FOUND)
            EQ(found, CL_SUCCESS);
        context = clCreateContextFromType(properties, real[i], NULL, NULL, &err);
        EQ(err, found);
        EQ(context != NULL, found == CL_SUCCESS);
        missing += context == NULL;
        if (context != NULL)
            CL(clReleaseContext(context));
    }
    CL(clGetDeviceIDs(platform, (cl_device_type)-1, 1, &id, &n));
    CHECK(n > 0);
    /* The device is of one type only. */
    CHECK(missing > 0);
    return 0;
}
