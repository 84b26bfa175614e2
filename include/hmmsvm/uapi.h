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
#define HMMSVM_ABI_MINOR	2

/* Bits of hmmsvm_version.features. */
#define HMMSVM_FEATURE_MIRROR		(1ULL << 0)	/* system memory is mirrored */
#define HMMSVM_FEATURE_DEVICE_MEMORY	(1ULL << 1)	/* there is device memory */
#define HMMSVM_FEATURE_HUGE_PAGES	(1ULL << 2)	/* whole huge pages migrate as such */

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
 * @memory:	in: which device memory the context uses, see struct
 *		hmmsvm_memory; must be 0 if there is none
 * @va_start:	out: the first address a mirror can show
 * @va_end:	out: the first address above the last one
 *
 * Errors: EINVAL a field is out of range; EBUSY the file has a context, or
 * the caller is the engine of another; ENODEV no such device memory; ENOMEM.
 */
struct hmmsvm_create {
	__u32 size;
	__u32 flags;
	__u64 window_start;
	__u64 window_len;
	__u32 fault_around;
	__u32 memory;
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
 * run in the application's address space, or the caller did not call execve()
 * since it was forked, or it has not the user, groups and capabilities that the
 * application had when it made the context;
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
 * struct hmmsvm_target - which context a request is about
 * @pid:	in: 0: that of this file. Otherwise the process id of an
 *		application, as the caller's pid namespace has it. The caller needs
 *		the user and group that application had when it made the context, and
 *		all its capabilities; or CAP_SYS_PTRACE in its user namespace.
 * @context:	in: which of that process's contexts, 0 is the oldest
 *
 * Errors: ESRCH no such process; EPERM; ENOENT the process has not so many
 * contexts; ENOTCONN this file has none; EPERM this file's context belongs to
 * neither the caller nor the caller's application.
 */
struct hmmsvm_target {
	__u32 pid;
	__u32 context;
};

/**
 * struct hmmsvm_stats - what the mirror and migration did since the context was made
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
 * @fault_ns:	time spent in device faults, in nanoseconds, waiting and
 *		migration included
 * @target:	in: which context
 * @device_pages: pages of device memory the context has now
 * @device_pages_peak: the most it ever had
 * @pages_mirrored_device: how many of @pages_mirrored show device memory
 * @huge_mirrored: entries of 2 MiB that were set; each also counts 512 times in
 *		@pages_mirrored
 * @cpu_faults:	CPU faults that found a page in device memory; none in coherent memory
 * @cpu_fault_ns: time spent in them
 * @migrations_to_device: times a range was brought to device memory
 * @pages_to_device: pages that were; @pages_zeroed of them without a copy, as
 *		nobody had touched them or they were the zero page
 * @pages_to_system: pages brought back, for whatever reason, but for those of coherent
 *		memory that the kernel itself moved for a long-term pin
 * @pages_to_system_cpu: how many of those for a CPU fault
 * @pages_to_system_evicted: how many of those to make room
 * @evictions:	times a piece of device memory with pages of this context was emptied
 * @refaults:	pages brought to device memory that had been evicted before
 * @huge_to_device, @huge_to_system: huge pages that moved as such; each also
 *		counts 512 times above
 * @migrate_ns:	time spent migrating to the device, eviction for it included
 * @failed_no_memory: pages that stayed as the device had no room for them
 * @failed_no_system_memory: pages that could not come back for want of memory
 * @failed_busy: pages that were to move to the device and could not: pinned,
 *	locked, changing, swapped out, or not anonymous
 * @failed_kind: device faults whose migration was not tried as their memory is of a
 *		kind that does not move: files, shared memory, huge TLB pages
 * @policy_errors: decisions of a policy that made no sense
 * @withdrawals: blocks whose entries were withdrawn to see accesses
 * @sampled_faults: device faults on withdrawn entries
 * @evictions_by_others: how many of @evictions made room for another context
 * @evictions_limit: how many of @evictions made room within a limit, the context's or its user's
 * @failed_limit: how many of @failed_no_memory found no room because of such a limit
 * @device_pages_charged: what the context is charged with now: @device_pages, filled up to
 *		whole regions of 16 pages, and what is just moving in
 * @device_pages_limit: the most it may be charged with, see struct hmmsvm_limit
 * @device_pages_share: its fair share now, within that limit: as much as it can have while
 *		others keep what they have up to the same amount
 *
 * Those from @evictions_by_others on came with minor version 2.
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
	struct hmmsvm_target target;
	__u64 device_pages;
	__u64 device_pages_peak;
	__u64 pages_mirrored_device;
	__u64 huge_mirrored;
	__u64 cpu_faults;
	__u64 cpu_fault_ns;
	__u64 migrations_to_device;
	__u64 pages_to_device;
	__u64 pages_zeroed;
	__u64 pages_to_system;
	__u64 pages_to_system_cpu;
	__u64 pages_to_system_evicted;
	__u64 evictions;
	__u64 refaults;
	__u64 huge_to_device;
	__u64 huge_to_system;
	__u64 migrate_ns;
	__u64 failed_no_memory;
	__u64 failed_no_system_memory;
	__u64 failed_busy;
	__u64 failed_kind;
	__u64 policy_errors;
	__u64 withdrawals;
	__u64 sampled_faults;
	__u64 evictions_by_others;
	__u64 evictions_limit;
	__u64 failed_limit;
	__u64 device_pages_charged;
	__u64 device_pages_limit;
	__u64 device_pages_share;
};

/* Kinds of device memory. */
#define HMMSVM_MEMORY_PRIVATE	1	/* the CPU cannot reach it: it faults, pages come back */
#define HMMSVM_MEMORY_COHERENT	2	/* the CPU reaches it in place */

/**
 * struct hmmsvm_memory - one of the module's device memories
 * @size:	in: sizeof(struct hmmsvm_memory)
 * @index:	in: which, from 0
 * @kind:	out: HMMSVM_MEMORY_*
 * @node:	out: the NUMA node that backs it; -1: any
 * @count:	out: how many there are
 * @reserved:	in: must be 0
 * @bytes:	out: its size
 * @used_bytes:	out: how much of it is in use now, by all contexts
 *
 * Errors: ENODEV no such device memory; @count is filled in all the same.
 */
struct hmmsvm_memory {
	__u32 size;
	__u32 index;
	__u32 kind;
	__s32 node;
	__u32 count;
	__u32 reserved;
	__u64 bytes;
	__u64 used_bytes;
};

#define HMMSVM_POLICY_NAME	16

/* Bits of hmmsvm_policy_choice.flags. */
#define HMMSVM_POLICY_SET_PLACEMENT	(1u << 0)
#define HMMSVM_POLICY_SET_EVICTION	(1u << 1)

/**
 * struct hmmsvm_policy_choice - which policies a context has; may change at any time
 * @size:	in: sizeof(struct hmmsvm_policy_choice)
 * @flags:	in: HMMSVM_POLICY_SET_* bits; 0 only asks
 * @target:	in: which context
 * @placement:	in, if set; out: name, NUL-terminated
 * @eviction:	in, if set; out: name, NUL-terminated
 *
 * Setting a placement policy, the present one included, sets its tunables to
 * their defaults and forgets what the old one had remembered.
 *
 * Errors: EINVAL no such policy; those of the target.
 */
struct hmmsvm_policy_choice {
	__u32 size;
	__u32 flags;
	struct hmmsvm_target target;
	char placement[HMMSVM_POLICY_NAME];
	char eviction[HMMSVM_POLICY_NAME];
};

#define HMMSVM_POLICY_PLACEMENT	0
#define HMMSVM_POLICY_EVICTION	1

/**
 * struct hmmsvm_policy_info - what policies there are
 * @size:	in: sizeof(struct hmmsvm_policy_info)
 * @kind:	in: HMMSVM_POLICY_PLACEMENT or _EVICTION
 * @index:	in: from 0
 * @tunables:	out: how many tunables it has
 * @name:	out: its name
 * @help:	out: one line
 *
 * Errors: EINVAL no such kind; ENOENT not so many.
 */
struct hmmsvm_policy_info {
	__u32 size;
	__u32 kind;
	__u32 index;
	__u32 tunables;
	char name[HMMSVM_POLICY_NAME];
	char help[112];
};

#define HMMSVM_TUNABLE_SET	(1u << 0)

/**
 * struct hmmsvm_tunable_value - a tunable of a context's placement policy
 * @size:	in: sizeof(struct hmmsvm_tunable_value)
 * @flags:	in: HMMSVM_TUNABLE_SET, or 0 to ask
 * @target:	in: which context
 * @index:	in: which tunable, from 0, where @name is empty; out
 * @clamped:	out: 1 if @value was out of its limits and was changed
 * @value:	in, if set; out: its value now
 * @preset, @min, @max: out: default and limits
 * @name:	in: which tunable; empty: @index decides; out
 * @help:	out: one line
 *
 * Errors: ENOENT no such tunable; those of the target.
 */
struct hmmsvm_tunable_value {
	__u32 size;
	__u32 flags;
	struct hmmsvm_target target;
	__u32 index;
	__u32 clamped;
	__s64 value;
	__s64 preset;
	__s64 min;
	__s64 max;
	char name[32];
	char help[112];
};

/* Bits of hmmsvm_migrate.flags; one of the first two. */
#define HMMSVM_MIGRATE_TO_DEVICE	(1u << 0)
#define HMMSVM_MIGRATE_TO_SYSTEM	(1u << 1)

/**
 * struct hmmsvm_migrate - moves memory now, whatever the policy thinks
 * @size:	in: sizeof(struct hmmsvm_migrate)
 * @flags:	in: HMMSVM_MIGRATE_*
 * @start, @length: in: the bytes; every page they touch is meant
 * @pages_moved: out: pages that moved
 * @pages_there: out: pages that were there already
 * @pages_failed: out: pages that could not move, or of a kind that does not
 *
 * By the application only. What cannot move stays and is no error. Memory nobody
 * has touched gets device pages too. Ends early on a fatal signal.
 *
 * Errors: EINVAL; EPERM the caller is not the application; EFAULT a part of
 * the range is not mapped (what is was moved); ENODEV no device memory; EINTR;
 * ENOMEM.
 */
struct hmmsvm_migrate {
	__u32 size;
	__u32 flags;
	__u64 start;
	__u64 length;
	__u64 pages_moved;
	__u64 pages_there;
	__u64 pages_failed;
};

#define HMMSVM_ADVICE_DEVICE		(1u << 0)	/* preferred location: the device */
#define HMMSVM_ADVICE_SYSTEM		(1u << 1)	/* preferred location: system memory */
#define HMMSVM_ADVICE_READ_MOSTLY	(1u << 2)	/* read by many, seldom written */

/**
 * struct hmmsvm_advise - what the application knows about a range
 * @size:	in: sizeof(struct hmmsvm_advise)
 * @set:	in: HMMSVM_ADVICE_* bits that become valid
 * @clear:	in: bits that stop being valid; may be ~0
 * @reserved:	in: must be 0
 * @start, @length: in: the bytes; every page they touch is meant
 *
 * A preferred location overrules the policy on device faults: DEVICE always
 * brings the page over and is evicted last, SYSTEM never does. Setting one
 * clears the other. READ_MOSTLY memory stays in system memory, where CPU and
 * device can both have it mapped. Advice moves nothing by itself, but the device's
 * next access to memory with DEVICE is a fault, also where it had an entry. Advice
 * stays with the addresses, whatever is mapped there, until it is cleared.
 *
 * By the application only. Errors: EINVAL; EPERM; ENOSPC more than 65,536
 * ranges with advice; ENOMEM.
 */
struct hmmsvm_advise {
	__u32 size;
	__u32 set;
	__u32 clear;
	__u32 reserved;
	__u64 start;
	__u64 length;
};

/**
 * struct hmmsvm_residency_block - where a block's pages are
 * @start:	its first address
 * @device_pages: pages in device memory, of 512
 * @device_faults, @cpu_faults: faults in it, by either side
 * @evictions:	how often pages of it were evicted
 */
struct hmmsvm_residency_block {
	__u64 start;
	__u32 device_pages;
	__u32 device_faults;
	__u32 cpu_faults;
	__u32 evictions;
};

/**
 * struct hmmsvm_residency - the blocks that the device has used
 * @size:	in: sizeof(struct hmmsvm_residency)
 * @count:	in: room for so many at @blocks, at most 4096; out: how many were filled in
 * @target:	in: which context
 * @start:	in: where to begin; out: where to go on, or 0 if that was all
 * @blocks:	in: address of an array of struct hmmsvm_residency_block
 *
 * In order of address. Errors: EINVAL; EFAULT; those of the target.
 */
struct hmmsvm_residency {
	__u32 size;
	__u32 count;
	struct hmmsvm_target target;
	__u64 start;
	__u64 blocks;
};

enum hmmsvm_event_type {
	HMMSVM_EVENT_DEVICE_FAULT = 1,	/* pages: entries that were set; flags: WRITE, REMOTE */
	HMMSVM_EVENT_CPU_FAULT = 2,	/* pages: that came back */
	HMMSVM_EVENT_TO_DEVICE = 3,	/* pages: that moved */
	HMMSVM_EVENT_TO_SYSTEM = 4,	/* pages: that moved, other than by the fault on one of them */
	/* pages: that were evicted to make room here; address: of the first block of theirs */
	HMMSVM_EVENT_EVICT = 5,
	HMMSVM_EVENT_WITHDRAW = 6,	/* address: of the block */
	HMMSVM_EVENT_FAILED = 7,	/* a device fault that ended in a signal */
};

#define HMMSVM_EVENT_WRITE	(1u << 0)
#define HMMSVM_EVENT_REMOTE	(1u << 1)	/* system memory was mapped */
#define HMMSVM_EVENT_HUGE	(1u << 2)
#define HMMSVM_EVENT_SAMPLED	(1u << 3)	/* on a withdrawn entry */

/**
 * struct hmmsvm_event - something that happened
 * @ns:		when it ended, CLOCK_MONOTONIC
 * @address:	of the first page
 * @pages:	how many, see enum hmmsvm_event_type
 * @type:	enum hmmsvm_event_type
 * @flags:	HMMSVM_EVENT_* bits
 * @tid:	thread, as the initial pid namespace has it
 * @took_ns:	how long it took
 */
struct hmmsvm_event {
	__u64 ns;
	__u64 address;
	__u32 pages;
	__u16 type;
	__u16 flags;
	__u32 tid;
	__u32 took_ns;
};

/**
 * struct hmmsvm_event_ring - the first page of a mapped event ring
 * @head:	how many events were written since the ring was made; the youngest
 *		is number @head - 1, and event n lies at index n % @entries
 * @entries:	a power of two
 * @entry_size:	sizeof(struct hmmsvm_event) of the module
 * @offset:	bytes from the start of the mapping to the first entry
 *
 * The writer never waits: it overwrites. A reader loads @head (acquire), copies
 * events, then loads @head again: what is older than @head - @entries + 1 by then
 * may be torn and is to be dropped and counted as lost.
 */
struct hmmsvm_event_ring {
	__u64 head;
	__u32 entries;
	__u32 entry_size;
	__u32 offset;
	__u32 reserved;
};

/**
 * struct hmmsvm_events - makes an event ring
 * @size:	in: sizeof(struct hmmsvm_events)
 * @entries:	in: a power of two from 128 to 1,048,576
 * @target:	in: which context
 * @fd:		out: a descriptor to mmap(2), read-only and shared, from offset 0
 * @reserved:	in: must be 0
 * @bytes:	out: length of that mapping
 *
 * At most four rings a context, of which others than its application and its engine have three at
 * most. A ring is written until its last descriptor and mapping are gone, or the context ends. Its
 * memory is charged to the caller.
 *
 * Errors: EINVAL, also with a @size that has no room for @fd; EMFILE; EBUSY there are as many as may
 * be; ENOMEM; those of the target. With an error, EFAULT included, there is no descriptor and no ring.
 */
struct hmmsvm_events {
	__u32 size;
	__u32 entries;
	struct hmmsvm_target target;
	__s32 fd;
	__u32 reserved;
	__u64 bytes;
};

#define HMMSVM_LIMIT_SET	(1u << 0)

#define HMMSVM_NO_LIMIT		(~0ULL)

/**
 * struct hmmsvm_limit - how much device memory a context may have
 * @size:	in: sizeof(struct hmmsvm_limit)
 * @flags:	in: HMMSVM_LIMIT_SET, or 0 to ask
 * @target:	in: which context
 * @limit:	in, if set; out: the context's own limit in bytes, or HMMSVM_NO_LIMIT. Whole
 *		regions of 64 KiB count; less than one is none.
 * @context_max: out: the administrator's limit for every context
 * @user_max:	out: the administrator's limit for all contexts of a user together, in
 *		each device memory
 * @charged:	out: what the context has now
 * @user_charged: out: what the contexts of its user have in the same device memory
 * @share:	out: its fair share now, as hmmsvm_stats.device_pages_share
 * @user:	out: the user that is charged, as the caller's user namespace has it
 * @reserved:	in: must be 0
 *
 * All three limits hold. Who has reached one makes room of his own memory. A limit below what
 * the context has takes effect at once; what cannot move, and what is being brought over
 * just then, stays until it can. Since minor version 2.
 *
 * Errors: EINVAL; ENODEV no device memory; those of the target.
 */
struct hmmsvm_limit {
	__u32 size;
	__u32 flags;
	struct hmmsvm_target target;
	__u64 limit;
	__u64 context_max;
	__u64 user_max;
	__u64 charged;
	__u64 user_charged;
	__u64 share;
	__u32 user;
	__u32 reserved;
};

/*
 * Numbers 1 and 2 of any type are unused: the VFS takes the plain ones.
 *
 * VERSION, MEMORY and POLICY_INFO may be called by anyone who can open the node,
 * CREATE once a file, ATTACH by the application's child, MIGRATE and ADVISE by
 * the application. Those with a target say there who may.
 *
 * poll(2) on a context reports EPOLLHUP once the application's address space
 * is gone, by exit or by exec.
 */
#define HMMSVM_IOC_VERSION	_IOWR('H', 0x40, struct hmmsvm_version)
#define HMMSVM_IOC_CREATE	_IOWR('H', 0x41, struct hmmsvm_create)
#define HMMSVM_IOC_ATTACH	_IOWR('H', 0x42, struct hmmsvm_attach)
#define HMMSVM_IOC_STATS	_IOWR('H', 0x43, struct hmmsvm_stats)
#define HMMSVM_IOC_MEMORY	_IOWR('H', 0x44, struct hmmsvm_memory)
#define HMMSVM_IOC_POLICY	_IOWR('H', 0x45, struct hmmsvm_policy_choice)
#define HMMSVM_IOC_POLICY_INFO	_IOWR('H', 0x46, struct hmmsvm_policy_info)
#define HMMSVM_IOC_TUNABLE	_IOWR('H', 0x47, struct hmmsvm_tunable_value)
#define HMMSVM_IOC_MIGRATE	_IOWR('H', 0x48, struct hmmsvm_migrate)
#define HMMSVM_IOC_ADVISE	_IOWR('H', 0x49, struct hmmsvm_advise)
#define HMMSVM_IOC_RESIDENCY	_IOWR('H', 0x4a, struct hmmsvm_residency)
#define HMMSVM_IOC_EVENTS	_IOWR('H', 0x4b, struct hmmsvm_events)
#define HMMSVM_IOC_LIMIT	_IOWR('H', 0x4c, struct hmmsvm_limit)

#endif /* HMMSVM_UAPI_H */
