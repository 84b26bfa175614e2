/* SPDX-License-Identifier: MIT */
/*
 * cl_svm.c - pointers of every kind reach a kernel and are followed there:
 * malloc, stack, globals, within structures, and clSVMAlloc's of every kind
 */
#include "cl_harness.h"

#define N 1000

static const char source[] =
    "struct node { global struct node *next; global int *value; };\n"
    "kernel void walk(global struct node *list, global int *sum) {\n"
    "    int s = 0;\n"
    "    for (; list; list = list->next) { s += *list->value; *list->value = -*list->value; }\n"
    "    *sum = s;\n"
    "}\n";

struct node {
    struct node *next;
    int *value;
};

static int global_value = 1000000;

int main(void)
{
    static const cl_svm_mem_flags kinds[] = {
        CL_MEM_READ_WRITE,
        CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER,
        CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER | CL_MEM_SVM_ATOMICS,
    };
    cl_device_svm_capabilities caps;
    int stack_value = 2000000, sum = 0;
    struct node first = { NULL, &global_value }, second = { &first, &stack_value };
    struct node *list = &second;
    long wanted = 3000000;

    cl_open();
    CL(clGetDeviceInfo(cl_device, CL_DEVICE_SVM_CAPABILITIES, sizeof(caps), &caps, NULL));
    EQ(caps, CL_DEVICE_SVM_COARSE_GRAIN_BUFFER | CL_DEVICE_SVM_FINE_GRAIN_BUFFER
                 | CL_DEVICE_SVM_FINE_GRAIN_SYSTEM | CL_DEVICE_SVM_ATOMICS);

    cl_kernel walk = cl_get_kernel(source, "walk");
    for (int i = 0; i < N; i++) {
        struct node *n = malloc(sizeof(*n));
        n->value = malloc(sizeof(int));
        *n->value = i;
        n->next = list;
        list = n;
        wanted += i;
    }
    CL(clSetKernelArgSVMPointer(walk, 0, list));
    CL(clSetKernelArgSVMPointer(walk, 1, &sum));
    for (int round = 1; round <= 2; round++) {
        cl_run(cl_queue, walk, 1, 1, NULL);
        CL(clFinish(cl_queue));
        EQ(sum, round == 1 ? wanted : -wanted);
        EQ(stack_value, round == 1 ? -2000000 : 2000000);
        EQ(global_value, round == 1 ? -1000000 : 1000000);
    }

    for (int kind = 0; kind < 3; kind++) {
        int *p = clSVMAlloc(cl_ctx, kinds[kind], 4096, 128);

        CHECK(p != NULL);
        EQ((uintptr_t)p % 128, 0);
        CL(clEnqueueSVMMap(cl_queue, CL_TRUE, CL_MAP_WRITE, p, 4096, 0, NULL, NULL));
        p[5] = 77 + kind;
        first.value = &p[5];
        CL(clEnqueueSVMUnmap(cl_queue, p, 0, NULL, NULL));
        CL(clSetKernelArgSVMPointer(walk, 0, &first));
        CL(clSetKernelArgSVMPointer(walk, 1, p));
        cl_run(cl_queue, walk, 1, 1, NULL);
        CL(clEnqueueSVMMap(cl_queue, CL_TRUE, CL_MAP_READ, p, 4096, 0, NULL, NULL));
        EQ(p[0], 77 + kind);
        EQ(p[5], -77 - kind);
        CL(clEnqueueSVMUnmap(cl_queue, p, 0, NULL, NULL));
        CL(clFinish(cl_queue));
        clSVMFree(cl_ctx, p);
    }
    return 0;
}
