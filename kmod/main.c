// SPDX-License-Identifier: GPL-2.0
/*
 * The node /dev/hmmsvm and its requests: checks what comes from user space
 * and hands it on.
 *
 * Locking: none of its own. An open file is a context from open() to the last
 * close, see context.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "block.h"
#include "compat.h"
#include "devmem.h"
#include "events.h"
#include "migrate.h"

#define HMMSVM_RELEASE "1.0.0"

static int main_open(struct inode *inode, struct file *file)
{
	struct hmmsvm_context *ctx = hmmsvm_context_new(file);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	file->private_data = ctx;
	return nonseekable_open(inode, file);
}

static int main_release(struct inode *inode, struct file *file)
{
	hmmsvm_context_end(file->private_data);
	return 0;
}

static int main_mmap(struct file *file, struct vm_area_struct *vma)
{
	return hmmsvm_mirror_mmap(file->private_data, vma);
}

static __poll_t main_poll(struct file *file, poll_table *wait)
{
	struct hmmsvm_context *ctx = file->private_data;

	poll_wait(file, &ctx->poll_wait, wait);
	return READ_ONCE(ctx->app_gone) ? EPOLLHUP : 0;
}

static long main_version(struct hmmsvm_version *v)
{
	v->abi_major = HMMSVM_ABI_MAJOR;
	v->abi_minor = HMMSVM_ABI_MINOR;
	v->page_size = PAGE_SIZE;
	v->features = HMMSVM_FEATURE_MIRROR;
	if (hmmsvm_devmem_count()) {
		v->features |= HMMSVM_FEATURE_DEVICE_MEMORY;
		if (hmmsvm_devmem_huge())
			v->features |= HMMSVM_FEATURE_HUGE_PAGES;
	}
	strscpy_pad(v->release, HMMSVM_RELEASE, sizeof(v->release));
	return 0;
}

static long main_create(struct hmmsvm_context *ctx, struct hmmsvm_create *create)
{
	int err = hmmsvm_context_bind(ctx, create);

	if (err)
		return err;
	create->va_start = ctx->va_start;
	create->va_end = ctx->va_end;
	return 0;
}

static long main_attach(struct hmmsvm_context *ctx, struct hmmsvm_attach *attach)
{
	int err;

	if (attach->flags)
		return -EINVAL;
	err = hmmsvm_context_attach(ctx);
	if (err)
		return err;
	attach->window_start = ctx->window_start;
	attach->window_len = ctx->window_end - ctx->window_start;
	attach->va_start = ctx->va_start;
	attach->va_end = ctx->va_end;
	return 0;
}

static long main_stats(struct hmmsvm_context *ctx, struct hmmsvm_stats *stats)
{
	if (stats->reserved)
		return -EINVAL;
#define MAIN_COUNTER(name)	(stats->name = atomic64_read(&ctx->count.name))
	MAIN_COUNTER(device_faults);
	MAIN_COUNTER(device_write_faults);
	MAIN_COUNTER(app_faults);
	MAIN_COUNTER(retries);
	MAIN_COUNTER(failed_faults);
	MAIN_COUNTER(pages_mirrored);
	MAIN_COUNTER(pages_writable);
	MAIN_COUNTER(pages_upgraded);
	MAIN_COUNTER(pages_populated);
	MAIN_COUNTER(invalidations);
	MAIN_COUNTER(invalidations_zapped);
	MAIN_COUNTER(ranges);
	MAIN_COUNTER(fault_ns);
	MAIN_COUNTER(device_pages);
	MAIN_COUNTER(device_pages_peak);
	MAIN_COUNTER(pages_mirrored_device);
	MAIN_COUNTER(huge_mirrored);
	MAIN_COUNTER(cpu_faults);
	MAIN_COUNTER(cpu_fault_ns);
	MAIN_COUNTER(migrations_to_device);
	MAIN_COUNTER(pages_to_device);
	MAIN_COUNTER(pages_zeroed);
	MAIN_COUNTER(pages_to_system);
	MAIN_COUNTER(pages_to_system_cpu);
	MAIN_COUNTER(pages_to_system_evicted);
	MAIN_COUNTER(evictions);
	MAIN_COUNTER(refaults);
	MAIN_COUNTER(huge_to_device);
	MAIN_COUNTER(huge_to_system);
	MAIN_COUNTER(migrate_ns);
	MAIN_COUNTER(failed_no_memory);
	MAIN_COUNTER(failed_no_system_memory);
	MAIN_COUNTER(failed_busy);
	MAIN_COUNTER(failed_kind);
	MAIN_COUNTER(policy_errors);
	MAIN_COUNTER(withdrawals);
	MAIN_COUNTER(sampled_faults);
	MAIN_COUNTER(evictions_by_others);
	MAIN_COUNTER(evictions_limit);
	MAIN_COUNTER(failed_limit);
#undef MAIN_COUNTER
	hmmsvm_share_stats(ctx, stats);
	return 0;
}

static long main_limit(struct hmmsvm_context *ctx, struct hmmsvm_limit *limit)
{
	if (limit->flags & ~HMMSVM_LIMIT_SET || limit->reserved)
		return -EINVAL;
	if (!ctx->devmem)
		return -ENODEV;
	if (limit->flags) {
		hmmsvm_share_set_limit(ctx, limit->limit);
		hmmsvm_migrate_to_limit(ctx);
	}
	hmmsvm_share_describe(ctx, limit);
	return 0;
}

/* Fails with -ENODEV, but says how many there are. */
static long main_memory(struct hmmsvm_memory *memory)
{
	struct hmmsvm_devmem *dm = hmmsvm_devmem_at(memory->index);

	if (memory->reserved)
		return -EINVAL;
	memory->count = hmmsvm_devmem_count();
	if (!dm)
		return -ENODEV;
	memory->kind = dm->kind;
	memory->node = dm->node;
	memory->bytes = (u64)dm->nr_chunks << HMMSVM_BLOCK_SHIFT;
	memory->used_bytes = (u64)READ_ONCE(dm->used_pages) << PAGE_SHIFT;
	return 0;
}

union main_request {
	__u32 size;
	struct hmmsvm_version version;
	struct hmmsvm_create create;
	struct hmmsvm_attach attach;
	struct hmmsvm_stats stats;
	struct hmmsvm_memory memory;
	struct hmmsvm_policy_choice policy;
	struct hmmsvm_policy_info policy_info;
	struct hmmsvm_tunable_value tunable;
	struct hmmsvm_migrate migrate;
	struct hmmsvm_advise advise;
	struct hmmsvm_residency residency;
	struct hmmsvm_events events;
	struct hmmsvm_limit limit;
};

/* The size of a request's structure as we know it; 0: there is no such request. */
static size_t main_size(unsigned int nr)
{
	switch (nr) {
#define MAIN_SIZE(NAME, field)						\
	case _IOC_NR(HMMSVM_IOC_##NAME):				\
		return sizeof_field(union main_request, field)
	MAIN_SIZE(VERSION, version);
	MAIN_SIZE(CREATE, create);
	MAIN_SIZE(ATTACH, attach);
	MAIN_SIZE(STATS, stats);
	MAIN_SIZE(MEMORY, memory);
	MAIN_SIZE(POLICY, policy);
	MAIN_SIZE(POLICY_INFO, policy_info);
	MAIN_SIZE(TUNABLE, tunable);
	MAIN_SIZE(MIGRATE, migrate);
	MAIN_SIZE(ADVISE, advise);
	MAIN_SIZE(RESIDENCY, residency);
	MAIN_SIZE(EVENTS, events);
	MAIN_SIZE(LIMIT, limit);
#undef MAIN_SIZE
	}
	return 0;
}

/* Which context a request is about; NULL: none in particular, or that of the file. */
static const struct hmmsvm_target *main_target(unsigned int nr, const union main_request *u)
{
	switch (nr) {
	case _IOC_NR(HMMSVM_IOC_STATS):
		return &u->stats.target;
	case _IOC_NR(HMMSVM_IOC_POLICY):
		return &u->policy.target;
	case _IOC_NR(HMMSVM_IOC_TUNABLE):
		return &u->tunable.target;
	case _IOC_NR(HMMSVM_IOC_RESIDENCY):
		return &u->residency.target;
	case _IOC_NR(HMMSVM_IOC_EVENTS):
		return &u->events.target;
	case _IOC_NR(HMMSVM_IOC_LIMIT):
		return &u->limit.target;
	}
	return NULL;
}

/* Requests by the application about its own memory. */
static long main_own(struct hmmsvm_context *ctx)
{
	if (!hmmsvm_context_bound(ctx))
		return -ENOTCONN;
	return ctx->app_mm == current->mm ? 0 : -EPERM;
}

/* *@file becomes that of u->events.fd, when the caller knows of it. */
static long main_request(struct hmmsvm_context *ctx, unsigned int nr, union main_request *u,
			 struct file **file)
{
	long err;

	switch (nr) {
	case _IOC_NR(HMMSVM_IOC_VERSION):
		return main_version(&u->version);
	case _IOC_NR(HMMSVM_IOC_CREATE):
		return main_create(ctx, &u->create);
	case _IOC_NR(HMMSVM_IOC_ATTACH):
		return main_attach(ctx, &u->attach);
	case _IOC_NR(HMMSVM_IOC_MEMORY):
		return main_memory(&u->memory);
	case _IOC_NR(HMMSVM_IOC_POLICY_INFO):
		return hmmsvm_policy_describe(&u->policy_info);
	case _IOC_NR(HMMSVM_IOC_STATS):
		return main_stats(ctx, &u->stats);
	case _IOC_NR(HMMSVM_IOC_POLICY):
		return hmmsvm_policy_choose(ctx, &u->policy);
	case _IOC_NR(HMMSVM_IOC_TUNABLE):
		return hmmsvm_policy_tunable(ctx, &u->tunable);
	case _IOC_NR(HMMSVM_IOC_RESIDENCY):
		return hmmsvm_residency(ctx, &u->residency);
	case _IOC_NR(HMMSVM_IOC_EVENTS):
		return hmmsvm_events_create(ctx, &u->events, file);
	case _IOC_NR(HMMSVM_IOC_LIMIT):
		return main_limit(ctx, &u->limit);
	case _IOC_NR(HMMSVM_IOC_MIGRATE):
		err = main_own(ctx);
		return err ? err : hmmsvm_migrate_request(ctx, &u->migrate);
	case _IOC_NR(HMMSVM_IOC_ADVISE):
		err = main_own(ctx);
		return err ? err : hmmsvm_advise(ctx, &u->advise);
	}
	return -ENOTTY;
}

static long main_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hmmsvm_context *own = file->private_data, *ctx = own;
	void __user *user = (void __user *)arg;
	const struct hmmsvm_target *target;
	unsigned int nr = _IOC_NR(cmd);
	union main_request u = {};
	struct file *made = NULL;
	size_t known;
	__u32 size;
	long err;

	/* The number decides; the caller's idea of the size is in the structure. */
	known = main_size(nr);
	if (!known || _IOC_TYPE(cmd) != _IOC_TYPE(HMMSVM_IOC_VERSION) ||
	    _IOC_DIR(cmd) != (_IOC_READ | _IOC_WRITE))
		return -ENOTTY;

	if (get_user(size, (__u32 __user *)user))
		return -EFAULT;
	if (size < sizeof(size) || size > PAGE_SIZE)
		return -EINVAL;
	err = copy_struct_from_user(&u, known, user, size);
	if (err)
		return err;

	target = main_target(nr, &u);
	if (target) {
		ctx = hmmsvm_context_target(own, target);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	err = main_request(ctx, nr, &u, &made);
	if (target)
		hmmsvm_context_put(ctx);
	/* These say something all the same. */
	if (err && nr != _IOC_NR(HMMSVM_IOC_MEMORY) && nr != _IOC_NR(HMMSVM_IOC_MIGRATE))
		return err;

	u.size = min_t(size_t, size, known);
	if (copy_to_user(user, &u, u.size))
		err = -EFAULT;
	/* A descriptor is open only once the caller knows of it. */
	if (made && err) {
		put_unused_fd(u.events.fd);
		fput(made);
	} else if (made) {
		fd_install(u.events.fd, made);
	}
	return err;
}

static const struct file_operations main_fops = {
	.owner = THIS_MODULE,
	.open = main_open,
	.release = main_release,
	.mmap = main_mmap,
	.poll = main_poll,
	.unlocked_ioctl = main_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice main_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hmmsvm",
	.fops = &main_fops,
	.mode = 0660,
};

static int __init main_init(void)
{
	int err;

	/*
	 * A page table check counts every mapping of an anonymous page and
	 * BUGs at one it cannot tell from a wrong one: ours.
	 */
	if (IS_ENABLED(CONFIG_PAGE_TABLE_CHECK)) {
		pr_err("this kernel has CONFIG_PAGE_TABLE_CHECK, which forbids a second mapping of anonymous memory: use a kernel without it\n");
		return -EOPNOTSUPP;
	}
	err = hmmsvm_devmem_init();
	if (err)
		return err;
	err = misc_register(&main_device);
	if (err)
		hmmsvm_devmem_exit();
	return err;
}

static void __exit main_exit(void)
{
	misc_deregister(&main_device);
	hmmsvm_devmem_exit();
}

module_init(main_init);
module_exit(main_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Mirrors a process's memory into an OpenCL engine with HMM");
MODULE_VERSION(HMMSVM_RELEASE);
