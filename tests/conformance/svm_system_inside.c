/* SPDX-License-Identifier: MIT */
/*
 * svm_system_inside.c - OpenCL 3.0 API, section 5.9.2, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM: by
 * default a kernel may follow pointers to system memory that are no arguments of it
 */
#include "conformance.h"

#define N 100

int main(int argc, char **argv)
{
    cl_uint sum = 0, wanted = 0;
    struct node *list = NULL;

    test_open(argc, argv);
    need_svm(CL_DEVICE_SVM_FINE_GRAIN_SYSTEM);
    cl_kernel walk = common_kernel("walk");
    for (unsigned i = 0; i < N; i++) {
        struct node *n = malloc(sizeof(*n));

        CHECK(n != NULL);
        n->value = malloc(sizeof(cl_uint));
        CHECK(n->value != NULL);
        *n->value = i;
        n->next = list;
        list = n;
        wanted += i;
    }
    OK(clSetKernelArgSVMPointer(walk, 0, list));
    OK(clSetKernelArgSVMPointer(walk, 1, &sum));
    run(queue, walk, 1, 0, NULL, NULL);
    OK(clFinish(queue));
    EQ(sum, wanted);
    for (unsigned i = N; i-- > 0; list = list->next)
        EQ(*list->value, i + 1000);

    /* SVM memory and system memory point to each other */
    struct node *in_svm = svm_alloc(0, sizeof(*in_svm)), first;
    cl_uint value = 5, other = 6;
    struct node second = { NULL, &other };
    first = (struct node){ &second, &value };
    svm_write(in_svm, &first, sizeof(first));
    struct node start = { in_svm, &sum };
    sum = 1;
    OK(clSetKernelArgSVMPointer(walk, 0, &start));
    run(queue, walk, 1, 0, NULL, NULL);
    OK(clFinish(queue));
    EQ(sum, 1 + 5 + 6);
    EQ(value, 1005);
    EQ(other, 1006);
    return 0;
}
