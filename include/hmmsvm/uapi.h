/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * hmmsvm/uapi.h - the ioctl ABI of /dev/hmmsvm
 *
 * One open file of the node is one context. A context joins two address
 * spaces: that of the application, which opened the file and called
 * HMMSVM_IOC_CREATE, and that of the engine, a child process of the
 * application which inherits the descriptor and calls HMMSVM_IOC_ATTACH. The
 * engine then maps the file over everything outside the window; that mapping
 * is the mirror: it shows the application's memory at the application's own
 * addresses and with the application's own permissions.
 *
 * Growth: every structure starts with its size in bytes as the caller knows
 * it. A kernel that knows fewer fields fails with E2BIG if an unknown one is
 * not zero; one that knows more takes those that are missing as zero and
 * fills in no more than the caller has room for. The major version changes
 * when that is not enough, the minor version with every addition.
 *
 * Locking: none for callers, every request may be made from any thread at any
 * time. Every request may fail with EINTR when a signal arrives.
 */
#ifndef HMMSVM_UAPI_H
#define HMMSVM_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define HMMSVM_ABI_MAJOR	1
#define HMMSVM_ABI_MINOR	0

/* Bits of hmmsvm_version.features. */
#define HMMSVM_FEATURE_MIRROR	(1ULL << 0)	/* system memory is mirrored */

/**
 * struct hmmsvm_version - which ABI the module speaks
 * @size:	in: sizeof(struct hmmsvm_version)
 * @abi_major:	out: HMMSVM_ABI_MAJOR of the module; must equal the caller's
 * @abi_minor:	out: HMMSVM_ABI_MINOR of the module; must not be below the
 *		minor version of anything the caller wants to use
 * @page_size:	out: bytes of a page, the unit of every page count
 * @features:	out: HMMSVM_FEATURE_* bits
 * @release:	out: the module's version, NUL-terminated
 */
struct hmmsvm_version {
	__u32 size;
	__u32 abi_major;
	__u32 abi_minor;
	__u32 page_size;
	__u64 features;
	char  release[32];
};

/**
 * struct hmmsvm_create - binds a context to the calling application
 * @size:	in: sizeof(struct hmmsvm_create)
 * @flags:	in: must be 0
 * @window_start: in: first byte of the address range the engine keeps for
 *		itself; page aligned
 * @window_len:	in: its length in bytes; page aligned, not 0. The application
 *		must keep the range reserved (PROT_NONE) as long as the context
 *		lives, or memory it maps there stays unseen by the device.
 * @fault_around: in: the most pages that one device fault may mirror, a power
 *		of two from 1 to 512; 0 takes the module's parameter. Neighbours
 *		are only mirrored if the application has them in memory.
 * @reserved:	in: must be 0
 * @va_start:	out: the first address a mirror can show
 * @va_end:	out: the first address above the last one
 *
 * Errors: EINVAL a field is out of range; EBUSY the file has a context, or
 * the caller is the engine of another; ENOMEM.
 */
struct hmmsvm_create {
	__u32 size;
	__u32 flags;
	__u64 window_start;
	__u64 window_len;
	__u32 fault_around;
	__u32 reserved;
	__u64 va_start;
	__u64 va_end;
};

/**
 * struct hmmsvm_attach - makes the calling process the engine of a context
 * @size:	in: sizeof(struct hmmsvm_attach)
 * @flags:	in: must be 0
 * @window_start: out: as the application gave it
 * @window_len:	out: as the application gave it
 * @va_start:	out: as in struct hmmsvm_create
 * @va_end:	out: as in struct hmmsvm_create
 *
 * A context has one engine at a time; when that process is gone the next may
 * attach. The engine maps its mirror with
 * mmap(addr, len, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, fd, addr),
 * anywhere in [va_start, va_end) but not over the window; it becomes
 * executable by itself. The mapping cannot be moved, grown or given other
 * permissions, and a forked child does not inherit it.
 *
 * Errors: ENOTCONN no context yet; EPERM the caller's parent process does not
 * run in the application's address space, or the caller has not the user,
 * groups and capabilities that the application had when it made the context;
 * EBUSY there is an engine, the caller is itself an application, or another
 * driver watches its address space (KVM, a GPU); ESRCH the application is gone.
 */
struct hmmsvm_attach {
	__u32 size;
	__u32 flags;
	__u64 window_start;
	__u64 window_len;
	__u64 va_start;
	__u64 va_end;
};

/**
 * struct hmmsvm_stats - what the mirror did since the context was made
 * @size:	in: sizeof(struct hmmsvm_stats)
 * @reserved:	in: must be 0
 * @device_faults: page faults the engine's accesses raised in the mirror
 * @device_write_faults: how many of them were writes
 * @app_faults:	times a page had to be brought in on the application's side
 *		first (first touch, swap-in, copy on write)
 * @retries:	device faults that were started over: after @app_faults, or as
 *		an invalidation came in between
 * @failed_faults: device faults that ended in a signal for the engine: not
 *		mapped, or not allowed
 * @pages_mirrored: entries set in the engine's page table (a page that is
 *		mirrored again counts again)
 * @pages_writable: how many of them were set writable
 * @pages_upgraded: entries made writable that were read-only before
 * @pages_populated: pages brought in ahead of a sequential device access
 * @invalidations: notifications of a change of the application's page table
 *		within a range that is watched
 * @invalidations_zapped: how many of them took entries from the engine
 * @ranges:	ranges of 1 GiB of address space that are watched now
 * @fault_ns:	time spent in device faults, in nanoseconds, waiting included
 */
struct hmmsvm_stats {
	__u32 size;
	__u32 reserved;
	__u64 device_faults;
	__u64 device_write_faults;
	__u64 app_faults;
	__u64 retries;
	__u64 failed_faults;
	__u64 pages_mirrored;
	__u64 pages_writable;
	__u64 pages_upgraded;
	__u64 pages_populated;
	__u64 invalidations;
	__u64 invalidations_zapped;
	__u64 ranges;
	__u64 fault_ns;
};

/*
 * Numbers 1 and 2 of any type are unused: the VFS takes the plain ones.
 *
 * VERSION may be called by anyone who can open the node, CREATE once a file,
 * ATTACH by the application's child, STATS by the application or the engine.
 *
 * poll(2) on a context reports EPOLLHUP once the application's address space
 * is gone, by exit or by exec.
 */
#define HMMSVM_IOC_VERSION	_IOWR('H', 0x40, struct hmmsvm_version)
#define HMMSVM_IOC_CREATE	_IOWR('H', 0x41, struct hmmsvm_create)
#define HMMSVM_IOC_ATTACH	_IOWR('H', 0x42, struct hmmsvm_attach)
#define HMMSVM_IOC_STATS	_IOWR('H', 0x43, struct hmmsvm_stats)

#endif /* HMMSVM_UAPI_H */
