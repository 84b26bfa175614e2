/* SPDX-License-Identifier: MIT */
/*
 * Programs in an intermediate language on a device that takes none: the queries agree that there is
 * none, and clCreateProgramWithIL and clSetProgramSpecializationConstant return
 * CL_INVALID_OPERATION (OpenCL 3.0, 5.8.1 and 5.8.3), whatever the IL is. A device that takes some
 * says CL_INVALID_VALUE of what is none.
 */
#include "cl_harness.h"

int main(void)
{
    static const char *const source = "kernel void k(global int *p) { *p = 1; }";
    unsigned il = 0xdeadbeef, constant = 1;
    char version[1024];
    cl_program program;
    size_t size, ils;
    cl_int err;

    cl_open();
    CL(clGetDeviceInfo(cl_device, CL_DEVICE_IL_VERSION, sizeof(version), version, &size));
    CHECK(size > 0);
    EQ(strlen(version) + 1, size);
    CL(clGetDeviceInfo(cl_device, CL_DEVICE_ILS_WITH_VERSION, 0, NULL, &ils));
    EQ(ils != 0, *version != '\0');

    program = clCreateProgramWithIL(cl_ctx, &il, sizeof(il), &err);
    EQ(err, ils != 0 ? CL_INVALID_VALUE : CL_INVALID_OPERATION);
    CHECK(program == NULL);

    program = cl_build_with(source, "");
    CL(clGetProgramInfo(program, CL_PROGRAM_IL, 0, NULL, &size));
    EQ(size, 0);
    err = clSetProgramSpecializationConstant(program, 0, sizeof(constant), &constant);
    EQ(err, ils != 0 ? CL_INVALID_PROGRAM : CL_INVALID_OPERATION);
    CL(clReleaseProgram(program));
    return 0;
}
