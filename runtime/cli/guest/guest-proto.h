/* SPDX-License-Identifier: MIT */
/*
 * guest-proto.h - what the launcher (guest.c) and the guest's init (guest-init.c) say to each other.
 *
 * Both ends are built together and run on one machine, so structures travel in host byte order.
 * The initial RAM disk carries the job as files under /job; after that one virtio-serial port
 * carries frames both ways. One port for everything keeps standard output, standard error and the
 * final status in the order in which they happened.
 */
#ifndef HMMSVM_GUEST_PROTO_H
#define HMMSVM_GUEST_PROTO_H

#include <stdint.h>

#define GUEST_PORT_NAME   "hmmsvm.job"
#define GUEST_ROOT_TAG    "hmmsvm_root"
#define GUEST_SHARE_TAG   "hmmsvm_share"

/* Files in the RAM disk. argv and env: NUL-terminated strings, one after the other. */
#define GUEST_JOB_ARGV    "job/argv"
#define GUEST_JOB_ENV     "job/env"
#define GUEST_JOB_CWD     "job/cwd"
/* A folder for each share: "MOUNTPOINT\0" in the order of the tags (GUEST_SHARE_TAG0, 1, ...). */
#define GUEST_JOB_SHARES  "job/shares"
/* Absent when no module is to be loaded; otherwise path, then parameters, NUL-terminated. */
#define GUEST_JOB_MODULE  "job/module"
/* Present: do nothing but report success (does this accelerator boot at all?). */
#define GUEST_JOB_PROBE   "job/probe"

#define GUEST_FRAME_MAX   65536u

enum guest_frame_type {
    /* launcher to guest */
    GUEST_STDIN = 1,    /* bytes; empty frame: end of file */
    GUEST_SIGNAL,       /* int32_t: send this signal to the application */
    /* guest to launcher */
    GUEST_READY,        /* empty: the application is about to start */
    GUEST_STDOUT,       /* bytes */
    GUEST_STDERR,       /* bytes */
    GUEST_NOTE,         /* text: something about the guest the user should know */
    GUEST_KLOG,         /* text: a line of the kernel log that condemns the run */
    GUEST_STATUS,       /* struct guest_status: the last frame */
};

struct guest_frame {
    uint32_t type;
    uint32_t length;    /* of what follows, at most GUEST_FRAME_MAX */
};

struct guest_status {
    int32_t code;       /* the application's exit status, 128 + n for death by signal n */
    int32_t failed;     /* the guest itself went wrong; NOTE frames have said how */
};

#endif
