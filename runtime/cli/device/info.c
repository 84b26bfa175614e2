/* SPDX-License-Identifier: MIT */
/*
 * info.c - `hmmsvm info`: what a program would get here, found out by asking: the device is opened
 * in the mode the environment says, and OpenCL is asked what it shows. No locking.
 */
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 300
#include <argp.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CL/cl.h>
#include <hmmsvm/client.h>

#include "cli.h"
#include "node.h"

static void row(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void row(const char *name, const char *format, ...)
{
    va_list args;

    printf("%-12s ", name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* The first line of a file, "" if there is none. */
static const char *line_of(const char *path)
{
    static char text[256];
    FILE *file = fopen(path, "re");

    if (!file || !fgets(text, sizeof(text), file))
        text[0] = '\0';
    if (file)
        fclose(file);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void info_kernel(void)
{
    struct utsname host;

    uname(&host);
    row("kernel", "%s %s", host.sysname, host.release);
}

static void info_memories(int fd)
{
    struct hmmsvm_policy_choice choice = { .size = sizeof(choice) };
    struct hmmsvm_memory memory;
    unsigned i = 0;

    do {
        char node[32] = "any node";
        int err;

        memory = (struct hmmsvm_memory){ .size = sizeof(memory), .index = i };
        err = node_ask(fd, HMMSVM_IOC_MEMORY, &memory);
        if (err) {
            row("memory", "none: %s", err == -ENODEV ?
                "the module was loaded without (sudo hmmsvm load --help), or its kernel cannot" : strerror(-err));
            return;
        }
        if (memory.node >= 0)
            snprintf(node, sizeof(node), "node %d", memory.node);
        row(i ? "" : "memory", "%u: %.0f MiB on %s, %.1f in use, %s", i,
            (double)memory.bytes / (1 << 20), node, (double)memory.used_bytes / (1 << 20),
            memory.kind == HMMSVM_MEMORY_COHERENT ? "the CPU reaches it" : "private");
    } while (++i < memory.count);
    if (node_context(fd) && !node_ask(fd, HMMSVM_IOC_POLICY, &choice))
        row("policy", "%.16s, eviction %.16s, unless a program is told otherwise",
            choice.placement, choice.eviction);
}

/* The module is asked by itself, so that it shows even where another mode is chosen. */
static void info_module(void)
{
    const char *node = getenv("HMMSVM_DEVICE");
    struct hmmsvm_version version = { .size = sizeof(version) };
    int fd;

    if (!node || !*node)
        node = "/dev/hmmsvm";
    fd = open(node, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        row("module", "none: %s: %s", node, strerror(errno));
        return;
    }
    if (ioctl(fd, HMMSVM_IOC_VERSION, &version))
        row("module", "%s is there, but does not say its version: %s", node, strerror(errno));
    else
        row("module", "%.32s, ABI %u.%u (this command: %u.%u)%s%s%s", version.release,
            version.abi_major, version.abi_minor, HMMSVM_ABI_MAJOR, HMMSVM_ABI_MINOR,
            version.features & HMMSVM_FEATURE_MIRROR ? ", mirror" : "",
            version.features & HMMSVM_FEATURE_DEVICE_MEMORY ? ", device memory" : "",
            version.features & HMMSVM_FEATURE_HUGE_PAGES ? ", huge pages" : "");
    if (version.abi_major == HMMSVM_ABI_MAJOR && version.abi_minor >= 1)
        info_memories(fd);
    close(fd);
}

static void info_topology(void)
{
    const char *nodes = line_of("/sys/devices/system/node/has_memory");
    cpu_set_t set;
    int cpus = 0;

    if (!sched_getaffinity(0, sizeof(set), &set))
        cpus = CPU_COUNT(&set);
    row("topology", "%d of %ld CPUs usable, memory on nodes %s, %ld MiB", cpus,
        sysconf(_SC_NPROCESSORS_ONLN), *nodes ? nodes : "0",
        sysconf(_SC_PHYS_PAGES) / 1024 * (sysconf(_SC_PAGESIZE) / 1024));
}

/* Returns whether the device opens. */
static bool info_mode(void)
{
    struct hmmsvm_device_info info;
    struct hmmsvm_device *device;

    if (hmmsvm_device_open(NULL, &device)) {
        row("mode", "none: %s", hmmsvm_last_error());
        return false;
    }
    hmmsvm_device_info(device, &info);
    row("mode", "%s", info.reason); /* it begins with the name of the mode */
    row("workers", "%u (up to %u while groups wait for each other), with %zu KiB of stack and %zu "
        "KiB of local memory each", info.workers, info.resident, info.stack_size / 1024,
        info.local_size / 1024);
    hmmsvm_device_close(device);
    return true;
}

/* ---- what OpenCL shows ---- */

struct opencl {
    cl_int (*platforms)(cl_uint, cl_platform_id *, cl_uint *);
    cl_int (*devices)(cl_platform_id, cl_device_type, cl_uint, cl_device_id *, cl_uint *);
    cl_int (*device_info)(cl_device_id, cl_device_info, size_t, void *, size_t *);
};

static void info_device(const struct opencl *cl, cl_device_id device)
{
    static const struct {
        cl_device_svm_capabilities bit;
        const char *name;
    } levels[] = {
        { CL_DEVICE_SVM_COARSE_GRAIN_BUFFER, " coarse-buffer" },
        { CL_DEVICE_SVM_FINE_GRAIN_BUFFER, " fine-buffer" },
        { CL_DEVICE_SVM_FINE_GRAIN_SYSTEM, " fine-system" },
        { CL_DEVICE_SVM_ATOMICS, " atomics" },
    };
    char name[256] = "?", driver[256] = "?", version[256] = "?", svm[128] = "";
    cl_device_svm_capabilities caps = 0;
    cl_device_type type = 0;
    cl_uint units = 0;
    size_t i;

    cl->device_info(device, CL_DEVICE_NAME, sizeof(name), name, NULL);
    cl->device_info(device, CL_DRIVER_VERSION, sizeof(driver), driver, NULL);
    cl->device_info(device, CL_DEVICE_VERSION, sizeof(version), version, NULL);
    cl->device_info(device, CL_DEVICE_TYPE, sizeof(type), &type, NULL);
    cl->device_info(device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units), &units, NULL);
    cl->device_info(device, CL_DEVICE_SVM_CAPABILITIES, sizeof(caps), &caps, NULL);
    for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (caps & levels[i].bit)
            strcat(svm, levels[i].name);
    row("device", "%s (%s, %u compute units)", name,
        type & CL_DEVICE_TYPE_GPU ? "GPU" : type & CL_DEVICE_TYPE_CPU ? "CPU" : "accelerator",
        units);
    row("", "%s, driver %s", version, driver);
    row("", "SVM:%s", *svm ? svm : " none");
}

/* Returns whether OpenCL shows a device. */
static bool info_opencl(void)
{
    cl_platform_id platforms[16];
    cl_device_id devices[64];
    cl_uint platform_count = 0, device_count, p, d, found = 0;
    struct opencl cl;
    void *library;
    cl_int error;

    library = dlopen("libOpenCL.so.1", RTLD_NOW);
    if (!library) {
        row("device", "none: %s (Debian: apt install ocl-icd-libopencl1)", dlerror());
        return false;
    }
    *(void **)&cl.platforms = dlsym(library, "clGetPlatformIDs");
    *(void **)&cl.devices = dlsym(library, "clGetDeviceIDs");
    *(void **)&cl.device_info = dlsym(library, "clGetDeviceInfo");
    if (!cl.platforms || !cl.devices || !cl.device_info) {
        row("device", "none: libOpenCL.so.1 is no OpenCL library");
        return false;
    }
    error = cl.platforms(16, platforms, &platform_count);
    if (error || !platform_count) {
        row("device", "none: OpenCL finds no platform in %s (error %d)", getenv("OCL_ICD_VENDORS"),
            error);
        return false;
    }
    for (p = 0; p < platform_count && p < 16; p++) {
        device_count = 0;
        if (cl.devices(platforms[p], CL_DEVICE_TYPE_ALL, 64, devices, &device_count))
            continue;
        for (d = 0; d < device_count && d < 64; d++, found++)
            info_device(&cl, devices[d]);
    }
    if (!found)
        row("device", "none: pocl found no device for POCL_DEVICES=%s", getenv("POCL_DEVICES"));
    return found;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key == ARGP_KEY_ARG)
        argp_error(state, "it takes no arguments");
    return key == ARGP_KEY_ARG ? 0 : ARGP_ERR_UNKNOWN;
}

int cli_info(int argc, char **argv)
{
    static const struct argp argp = {
        .parser = parse,
        .doc = "Print what a program run by `hmmsvm run` would get on this machine: the mode and "
               "why, kernel, module and ABI version, topology, and the device as OpenCL shows it."
               "\vExit status: 0 if there is a device, 1 if there is none.",
    };
    bool usable;

    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    cli_environment();
    info_kernel();
    info_module();
    info_topology();
    usable = info_mode();
    fflush(stdout);
    return info_opencl() && usable ? 0 : 1;
}
