/* SPDX-License-Identifier: MIT */
/*
 * capabilities_svm.c - OpenCL 3.0 API, sections 4.2 (CL_DEVICE_SVM_CAPABILITIES) and 5.6.1: only
 * defined bits; each finer level comes with the coarser ones that it extends
 */
#include "conformance.h"

int main(int argc, char **argv)
{
    const cl_device_svm_capabilities all = CL_DEVICE_SVM_COARSE_GRAIN_BUFFER
                                           | CL_DEVICE_SVM_FINE_GRAIN_BUFFER
                                           | CL_DEVICE_SVM_FINE_GRAIN_SYSTEM
                                           | CL_DEVICE_SVM_ATOMICS;
    cl_device_svm_capabilities caps;
    size_t size = 0;

    test_open(argc, argv);
    RETURNS(clGetDeviceInfo(device, CL_DEVICE_SVM_CAPABILITIES, 0, NULL, &size), CL_SUCCESS);
    EQ(size, sizeof(caps));
    RETURNS(clGetDeviceInfo(device, CL_DEVICE_SVM_CAPABILITIES, sizeof(caps) - 1, &caps, NULL),
            CL_INVALID_VALUE);

    EQ(svm_caps & ~all, 0);
    if (device_version < 300)
        CHECK(svm_caps & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    if (svm_caps & CL_DEVICE_SVM_FINE_GRAIN_BUFFER)
        CHECK(svm_caps & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER);
    if (svm_caps & CL_DEVICE_SVM_ATOMICS)
        CHECK(svm_caps & (CL_DEVICE_SVM_FINE_GRAIN_BUFFER | CL_DEVICE_SVM_FINE_GRAIN_SYSTEM));
    return 0;
}
