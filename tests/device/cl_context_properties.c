/* SPDX-License-Identifier: MIT */
/*
 * clCreateContext and clCreateContextFromType take CL_TRUE and CL_FALSE for
 * CL_CONTEXT_INTEROP_USER_SYNC, and CL_INVALID_PROPERTY is what comes of other values, unknown
 * properties and repeated ones (OpenCL 3.0, 4.4).
 */
#include "cl_harness.h"

static cl_int create(const cl_context_properties *properties)
{
    cl_int err, from_type;
    cl_context context = clCreateContext(properties, 1, &cl_device, NULL, NULL, &err);

    EQ(context != NULL, err == CL_SUCCESS);
    if (context != NULL)
        CL(clReleaseContext(context));
    context = clCreateContextFromType(properties, CL_DEVICE_TYPE_ALL, NULL, NULL, &from_type);
    EQ(context != NULL, from_type == CL_SUCCESS);
    if (context != NULL)
        CL(clReleaseContext(context));
    EQ(from_type, err);
    return err;
}

int main(void)
{
    cl_platform_id id;

    cl_open();
    CL(clGetDeviceInfo(cl_device, CL_DEVICE_PLATFORM, sizeof(id), &id, NULL));
    const cl_context_properties platform = (cl_context_properties)id;
#define PROPERTIES(...)                                                                            \
    (cl_context_properties[]){ CL_CONTEXT_PLATFORM, platform, __VA_ARGS__, 0 }

    CL(create(PROPERTIES(CL_CONTEXT_INTEROP_USER_SYNC, CL_TRUE)));
    CL(create(PROPERTIES(CL_CONTEXT_INTEROP_USER_SYNC, CL_FALSE)));
    EQ(create(PROPERTIES(CL_CONTEXT_INTEROP_USER_SYNC, -1)), CL_INVALID_PROPERTY);
    EQ(create(PROPERTIES(CL_CONTEXT_INTEROP_USER_SYNC, 2)), CL_INVALID_PROPERTY);
    EQ(create(PROPERTIES(0x7fff, 0)), CL_INVALID_PROPERTY);
    EQ(create(PROPERTIES(CL_CONTEXT_PLATFORM, platform)), CL_INVALID_PROPERTY);
    return 0;
}
