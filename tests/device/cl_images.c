/* SPDX-License-Identifier: MIT */
/* cl_images.c - images: written, sampled, written by a kernel, filled, copied, mapped */
#include "cl_harness.h"

#define W 67
#define H 43

static const char source[] =
    "constant sampler_t edge = CLK_NORMALIZED_COORDS_FALSE | CLK_ADDRESS_CLAMP_TO_EDGE\n"
    "                          | CLK_FILTER_NEAREST;\n"
    "kernel void flip(read_only image2d_t from, write_only image2d_t to, sampler_t given) {\n"
    "    int x = get_global_id(0), y = get_global_id(1);\n"
    "    uint4 a = read_imageui(from, given, (int2)(get_image_width(from) - 1 - x, y));\n"
    "    uint4 b = read_imageui(from, edge, (int2)(x + 1000, y));\n"
    "    write_imageui(to, (int2)(x, y), (uint4)(a.x, a.y, b.x, 255));\n"
    "}\n";

int main(void)
{
    static cl_uchar in[H][W][4], out[H][W][4];
    const cl_image_format format = { CL_RGBA, CL_UNSIGNED_INT8 };
    cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = W,
                           .image_height = H };
    const size_t origin[3] = { 0 }, region[3] = { W, H, 1 }, global[2] = { W, H };
    const size_t part_origin[3] = { 3, 5, 0 }, part[3] = { 10, 7, 1 };
    cl_int err;

    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 4; c++)
                in[y][x][c] = (cl_uchar)(x * 3 + y * 5 + c * 7);
    cl_open();
    cl_bool images = CL_FALSE;
    CL(clGetDeviceInfo(cl_device, CL_DEVICE_IMAGE_SUPPORT, sizeof(images), &images, NULL));
    EQ(images, CL_TRUE);

    cl_kernel flip = cl_get_kernel(source, "flip");
    cl_mem from = clCreateImage(cl_ctx, CL_MEM_READ_ONLY, &format, &desc, NULL, &err);
    CL(err);
    cl_mem to = clCreateImage(cl_ctx, CL_MEM_READ_WRITE, &format, &desc, NULL, &err);
    CL(err);
    cl_sampler_properties props[] = { CL_SAMPLER_NORMALIZED_COORDS, CL_FALSE,
                                      CL_SAMPLER_ADDRESSING_MODE, CL_ADDRESS_CLAMP,
                                      CL_SAMPLER_FILTER_MODE, CL_FILTER_NEAREST, 0 };
    cl_sampler sampler = clCreateSamplerWithProperties(cl_ctx, props, &err);
    CL(err);

    CL(clEnqueueWriteImage(cl_queue, from, CL_FALSE, origin, region, 0, 0, in, 0, NULL, NULL));
    ARG(flip, 0, from);
    ARG(flip, 1, to);
    ARG(flip, 2, sampler);
    CL(clEnqueueNDRangeKernel(cl_queue, flip, 2, NULL, global, NULL, 0, NULL, NULL));
    CL(clEnqueueReadImage(cl_queue, to, CL_TRUE, origin, region, 0, 0, out, 0, NULL, NULL));
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            EQ(out[y][x][0], in[y][W - 1 - x][0]);
            EQ(out[y][x][1], in[y][W - 1 - x][1]);
            EQ(out[y][x][2], in[y][W - 1][0]);
            EQ(out[y][x][3], 255);
        }

    const cl_uint4 colour = { { 9, 8, 7, 6 } };
    size_t pitch;
    CL(clEnqueueFillImage(cl_queue, to, &colour, part_origin, part, 0, NULL, NULL));
    CL(clEnqueueCopyImage(cl_queue, from, to, origin, origin, (size_t[]){ 2, 2, 1 }, 0, NULL,
                          NULL));
    cl_uchar *map = clEnqueueMapImage(cl_queue, to, CL_TRUE, CL_MAP_READ, origin, region, &pitch,
                                      NULL, 0, NULL, NULL, &err);
    CL(err);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            const cl_uchar *pixel = map + (size_t)y * pitch + 4 * (size_t)x;

            if (x < 2 && y < 2)
                CHECK(memcmp(pixel, in[y][x], 4) == 0);
            else if (x >= 3 && x < 13 && y >= 5 && y < 12)
                CHECK(memcmp(pixel, "\11\10\7\6", 4) == 0);
            else
                CHECK(memcmp(pixel, out[y][x], 4) == 0);
        }
    CL(clEnqueueUnmapMemObject(cl_queue, to, map, 0, NULL, NULL));
    CL(clFinish(cl_queue));
    return 0;
}
