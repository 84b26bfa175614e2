/* SPDX-License-Identifier: MIT */
/*
 * What clSetKernelArg says of images and samplers that are none, or that may not be used as the
 * kernel does (OpenCL 3.0, 5.9.2); a right one is taken after each wrong one, and the kernel runs.
 */
#include "cl_harness.h"

static const char source[] =
    "kernel void k(read_only image2d_t in, write_only image2d_t out, sampler_t s)\n"
    "{ int2 at = (int2)(get_global_id(0), 0);\n"
    "  write_imageui(out, at, read_imageui(in, s, at) + 1); }\n";

static cl_mem image_new(cl_mem_flags flags, void *host)
{
    static const cl_image_format format = { CL_RGBA, CL_UNSIGNED_INT8 };
    const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 4,
                                 .image_height = 1 };
    cl_int err;
    cl_mem image = clCreateImage(cl_ctx, flags | (host != NULL ? CL_MEM_COPY_HOST_PTR : 0), &format,
                                 &desc, host, &err);

    CL(err);
    return image;
}

int main(void)
{
    unsigned char pixels[16];
    const size_t origin[3] = { 0, 0, 0 }, region[3] = { 4, 1, 1 }, global = 4;
    const cl_sampler_properties sampling[] = {
        CL_SAMPLER_NORMALIZED_COORDS, CL_FALSE, CL_SAMPLER_ADDRESSING_MODE, CL_ADDRESS_CLAMP,
        CL_SAMPLER_FILTER_MODE, CL_FILTER_NEAREST, 0,
    };
    cl_bool images = CL_FALSE;
    cl_mem in, out, buffer;
    cl_sampler sampler;
    cl_kernel kernel;
    cl_int err;

    cl_open();
    CL(clGetDeviceInfo(cl_device, CL_DEVICE_IMAGE_SUPPORT, sizeof(images), &images, NULL));
    EQ(images, CL_TRUE);
    kernel = cl_get_kernel(source, "k");
    memset(pixels, 41, sizeof(pixels));
    in = image_new(CL_MEM_READ_ONLY, pixels);
    out = image_new(CL_MEM_WRITE_ONLY, NULL);
    buffer = cl_new_buffer(64, NULL);
    sampler = clCreateSamplerWithProperties(cl_ctx, sampling, &err);
    CL(err);

    EQ(clSetKernelArg(kernel, 0, sizeof(buffer), &buffer), CL_INVALID_MEM_OBJECT);
    EQ(clSetKernelArg(kernel, 1, sizeof(buffer), &buffer), CL_INVALID_MEM_OBJECT);
    EQ(clSetKernelArg(kernel, 0, sizeof(out), &out), CL_INVALID_ARG_VALUE);
    EQ(clSetKernelArg(kernel, 1, sizeof(in), &in), CL_INVALID_ARG_VALUE);
    EQ(clSetKernelArg(kernel, 2, sizeof(sampler), NULL), CL_INVALID_SAMPLER);
    EQ(clSetKernelArg(kernel, 0, sizeof(in), NULL), CL_INVALID_ARG_VALUE);

    ARG(kernel, 0, in);
    ARG(kernel, 1, out);
    ARG(kernel, 2, sampler);
    cl_run(cl_queue, kernel, global, 0, NULL);
    CL(clEnqueueReadImage(cl_queue, out, CL_TRUE, origin, region, 0, 0, pixels, 0, NULL, NULL));
    for (size_t i = 0; i < sizeof(pixels); i++)
        EQ(pixels[i], 42);
    return 0;
}
