/* SPDX-License-Identifier: MIT */
/*
 * cl_buffers.c - copy, fill, rectangles, map and unmap, sub-buffers, and
 * buffers over the application's own memory, small ones and large
 */
#include "cl_harness.h"

static const char source[] =
    "kernel void add(global uchar *a, uchar n) { a[get_global_id(0)] += n; }\n";

static void run(size_t size)
{
    cl_uchar *host = malloc(size), *back = malloc(size), one = 1;
    cl_event copied;
    cl_int err;

    for (size_t i = 0; i < size; i++)
        host[i] = (cl_uchar)(i * 31);
    cl_kernel add = cl_get_kernel(source, "add");
    cl_mem a = cl_new_buffer(size, host), b = cl_new_buffer(size, NULL);

    /* fill the middle, copy, change by kernel through a map */
    CL(clEnqueueFillBuffer(cl_queue, a, "\1\2\3\4", 4, 256, 512, 0, NULL, NULL));
    CL(clEnqueueCopyBuffer(cl_queue, a, b, 0, 0, size, 0, NULL, &copied));
    cl_uchar *map = clEnqueueMapBuffer(cl_queue, b, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, size,
                                       1, &copied, NULL, &err);
    CL(err);
    for (size_t i = 0; i < size; i++) {
        cl_uchar wanted = i >= 256 && i < 768 ? (cl_uchar)(i % 4 + 1) : host[i];
        EQ(map[i], wanted);
        map[i] ^= 0x55;
    }
    CL(clEnqueueUnmapMemObject(cl_queue, b, map, 0, NULL, NULL));
    cl_buffer_region region = { 512, 256 };
    cl_mem sub = clCreateSubBuffer(b, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region,
                                   &err);
    CL(err);
    ARG(add, 0, sub);
    ARG(add, 1, one);
    cl_run(cl_queue, add, 256, 0, NULL);
    CL(clEnqueueReadBuffer(cl_queue, b, CL_TRUE, 0, size, back, 0, NULL, NULL));
    for (size_t i = 0; i < size; i++) {
        cl_uchar wanted = i >= 256 && i < 768 ? (cl_uchar)(i % 4 + 1) : host[i];
        wanted = (cl_uchar)((wanted ^ 0x55) + (i >= 512 && i < 768));
        EQ(back[i], wanted);
    }

    /* a rectangle of 8 by 8 out of rows of 64 into rows of 32 */
    CL(clEnqueueCopyBufferRect(cl_queue, b, a, (size_t[]){ 4, 2, 0 }, (size_t[]){ 1, 1, 0 },
                               (size_t[]){ 8, 8, 1 }, 64, 0, 32, 0, 0, NULL, NULL));
    cl_uchar rect[8][8];
    CL(clEnqueueReadBufferRect(cl_queue, a, CL_TRUE, (size_t[]){ 1, 1, 0 }, (size_t[]){ 0, 0, 0 },
                               (size_t[]){ 8, 8, 1 }, 32, 0, 8, 0, rect, 0, NULL, NULL));
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++)
            EQ(rect[y][x], back[(y + 2) * 64 + x + 4]);

    /* the application's own memory as a buffer is changed in place */
    cl_mem own = clCreateBuffer(cl_ctx, CL_MEM_USE_HOST_PTR, size, host, &err);
    CL(err);
    cl_uchar before = host[size - 1];
    ARG(add, 0, own);
    cl_run(cl_queue, add, size, 0, NULL);
    map = clEnqueueMapBuffer(cl_queue, own, CL_TRUE, CL_MAP_READ, 0, size, 0, NULL, NULL, &err);
    CL(err);
    CHECK(map == host);
    EQ(host[size - 1], (cl_uchar)(before + 1));
    CL(clEnqueueUnmapMemObject(cl_queue, own, map, 0, NULL, NULL));
    CL(clFinish(cl_queue));

    CL(clReleaseMemObject(sub));
    CL(clReleaseMemObject(own));
    CL(clReleaseMemObject(a));
    CL(clReleaseMemObject(b));
    CL(clReleaseKernel(add));
    free(host);
    free(back);
}

int main(void)
{
    cl_open();
    run(4096);
    run(1 << 20);
    return 0;
}
