/* SPDX-License-Identifier: MIT */
/*
 * CL_DEVICE_EXTENSIONS (OpenCL 3.0, 4.2) is a list of names separated by single spaces, each of
 * them once and also in CL_DEVICE_EXTENSIONS_WITH_VERSION; and what an extension adds to the
 * queries can be queried only with it: CL_DEVICE_HALF_FP_CONFIG with cl_khr_fp16.
 */
#include "cl_harness.h"

#include <CL/cl_ext.h>

int main(void)
{
    static char list[65536];
    static cl_name_version versions[512];
    size_t size, length, names = 0, i;
    char *name, *rest = list;
    bool half = false;
    cl_device_fp_config config;
    cl_int err;

    cl_open();
    CL(clGetDeviceInfo(cl_device, CL_DEVICE_EXTENSIONS, sizeof(list), list, &size));
    EQ(strlen(list) + 1, size);
    CL(clGetDeviceInfo(cl_device, CL_DEVICE_EXTENSIONS_WITH_VERSION, sizeof(versions), versions,
                       &size));
    length = size / sizeof(*versions);
    CHECK(length > 0);

    while ((name = strsep(&rest, " ")) != NULL) {
        unsigned found = 0;

        if (*name == '\0')
            FAIL("there is an empty name in the list, before \"%s\"", rest != NULL ? rest : "");
        for (i = 0; i < length; i++)
            found += strcmp(versions[i].name, name) == 0;
        if (found != 1)
            FAIL("%s is %u times in CL_DEVICE_EXTENSIONS_WITH_VERSION", name, found);
        half |= strcmp(name, "cl_khr_fp16") == 0;
        names++;
    }
    EQ(names, length);

    err = clGetDeviceInfo(cl_device, CL_DEVICE_HALF_FP_CONFIG, sizeof(config), &config, NULL);
    EQ(err, half ? CL_SUCCESS : CL_INVALID_VALUE);
    return 0;
}
