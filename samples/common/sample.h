/*
 * What the samples share: finding a device that can do what a sample needs, building its kernels,
 * running them, and saying what went wrong. Plain OpenCL 3.0.
 *
 * Locking: none. Everything here is called from the main thread.
 *
 * Exit status of every sample: 0 verified, 1 wrong or failed, 64 wrong usage, 77 no device that
 * can.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAMPLE_EXIT_FAILED 1
#define SAMPLE_EXIT_NO_DEVICE 77

/*
 * What a sample cannot do without, beside OpenCL 3.0, an online compiler and pointers as wide as
 * the host's.
 */
struct sample_needs {
    const char *match; /* part of the device's or platform's name, any case; NULL: any device */
    cl_device_svm_capabilities svm;
    cl_device_atomic_capabilities atomics;
};

struct sample {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_program program;
    char *device_name;
    char *platform_name;
};

/* One piece of OpenCL C text, as samples/embed.cmake writes it. */
struct sample_source {
    const char *text;
    size_t length;
};

/*
 * Opens the first device that has what is needed, GPUs before accelerators before the rest.
 * Returns only on success; without such a device it says what each device lacks and exits with 77.
 */
void sample_open(struct sample *s, const struct sample_needs *needs);

/*
 * Builds the pieces as one program (-cl-std=CL3.0); on failure prints the build log and exits
 * with 1.
 */
void sample_build(struct sample *s, const struct sample_source *sources, size_t count);

/*
 * Returns the named kernel, allowed to follow any pointer of the program; exits with 1 if there is
 * none.
 */
cl_kernel sample_kernel(struct sample *s, const char *name);

/* Sets a kernel's argument to a pointer from anywhere: malloc, a global, the stack. */
void sample_set_pointer(cl_kernel kernel, cl_uint index, const void *pointer);

/* Sets a kernel's argument to a 32-bit number. */
void sample_set_uint(cl_kernel kernel, cl_uint index, cl_uint value);

/*
 * Starts the kernel and hands it to the device at once; local may be NULL. The caller releases the
 * event.
 */
cl_event sample_start(struct sample *s, cl_kernel kernel, cl_uint dimensions, const size_t *global,
                      const size_t *local);

/*
 * Waits for what was started and releases the event; a command that ends with an error is named and
 * ends the program with 1.
 */
void sample_wait(cl_event event);

/* Both together, without and with a size of work-groups. */
void sample_run(struct sample *s, cl_kernel kernel, cl_uint dimensions, const size_t *global);
void sample_run_groups(struct sample *s, cl_kernel kernel, cl_uint dimensions, const size_t *global,
                       const size_t *local);

/* Gives back what sample_open() and sample_build() took. Kernels are released before it. */
void sample_close(struct sample *s);

/*
 * Exits with 1 and the OpenCL error's name if error is one; call names the function for the
 * message.
 */
void sample_check(cl_int error, const char *call);

/* The name of an OpenCL error, or "unknown error". */
const char *sample_error_name(cl_int error);

/* Prints "PROGRAM: message" to stderr and exits with 1. */
void sample_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/*
 * malloc, aligned_alloc and realloc of count objects; never NULL: they exit with 1 and say how much
 * was wanted.
 */
void *sample_alloc(size_t count, size_t size);
void *sample_alloc_aligned(size_t alignment, size_t size);
void *sample_realloc(void *old, size_t count, size_t size);

/* An option's number; what is no number or outside [min, max] is a usage error that names both. */
uint64_t sample_number(struct argp_state *state, const char *option, const char *text, uint64_t min,
                       uint64_t max);

/* Milliseconds of a clock that never goes back. */
double sample_now_ms(void);

/* The next number of a xorshift generator; *state must not be 0 (sample_seed() sees to that). */
uint64_t sample_random(uint64_t *state);
uint64_t sample_seed(uint64_t seed);

#endif
