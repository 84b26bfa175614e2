// SPDX-License-Identifier: GPL-2.0
/*
 * The node /dev/hmmsvm and its requests: checks what comes from user space
 * and hands it on.
 *
 * Locking: none of its own. An open file is a context from open() to the last
 * close, see context.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "hmmsvm.h"

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
	hmmsvm_context_free(file->private_data);
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
	struct hmmsvm_counters *count = &ctx->count;

	if (stats->reserved)
		return -EINVAL;
	if (!hmmsvm_context_bound(ctx))
		return -ENOTCONN;
	if (!hmmsvm_context_is_party(ctx))
		return -EPERM;
	stats->device_faults = atomic64_read(&count->device_faults);
	stats->device_write_faults = atomic64_read(&count->device_write_faults);
	stats->app_faults = atomic64_read(&count->app_faults);
	stats->retries = atomic64_read(&count->retries);
	stats->failed_faults = atomic64_read(&count->failed_faults);
	stats->pages_mirrored = atomic64_read(&count->pages_mirrored);
	stats->pages_writable = atomic64_read(&count->pages_writable);
	stats->pages_upgraded = atomic64_read(&count->pages_upgraded);
	stats->pages_populated = atomic64_read(&count->pages_populated);
	stats->invalidations = atomic64_read(&count->invalidations);
	stats->invalidations_zapped = atomic64_read(&count->invalidations_zapped);
	stats->ranges = atomic64_read(&count->ranges);
	stats->fault_ns = atomic64_read(&count->fault_ns);
	return 0;
}

static long main_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hmmsvm_context *ctx = file->private_data;
	void __user *user = (void __user *)arg;
	union {
		__u32 size;
		struct hmmsvm_version version;
		struct hmmsvm_create create;
		struct hmmsvm_attach attach;
		struct hmmsvm_stats stats;
	} u = {};
	size_t known;
	__u32 size;
	long err;

	/* The number decides; the caller's idea of the size is in the structure. */
	switch (_IOC_NR(cmd)) {
	case _IOC_NR(HMMSVM_IOC_VERSION):
		known = sizeof(u.version);
		break;
	case _IOC_NR(HMMSVM_IOC_CREATE):
		known = sizeof(u.create);
		break;
	case _IOC_NR(HMMSVM_IOC_ATTACH):
		known = sizeof(u.attach);
		break;
	case _IOC_NR(HMMSVM_IOC_STATS):
		known = sizeof(u.stats);
		break;
	default:
		return -ENOTTY;
	}
	if (_IOC_TYPE(cmd) != _IOC_TYPE(HMMSVM_IOC_VERSION) ||
	    _IOC_DIR(cmd) != (_IOC_READ | _IOC_WRITE))
		return -ENOTTY;

	if (get_user(size, (__u32 __user *)user))
		return -EFAULT;
	if (size < sizeof(size) || size > PAGE_SIZE)
		return -EINVAL;
	err = copy_struct_from_user(&u, known, user, size);
	if (err)
		return err;

	switch (_IOC_NR(cmd)) {
	case _IOC_NR(HMMSVM_IOC_VERSION):
		err = main_version(&u.version);
		break;
	case _IOC_NR(HMMSVM_IOC_CREATE):
		err = main_create(ctx, &u.create);
		break;
	case _IOC_NR(HMMSVM_IOC_ATTACH):
		err = main_attach(ctx, &u.attach);
		break;
	case _IOC_NR(HMMSVM_IOC_STATS):
		err = main_stats(ctx, &u.stats);
		break;
	}
	if (err)
		return err;

	u.size = min_t(size_t, size, known);
	return copy_to_user(user, &u, u.size) ? -EFAULT : 0;
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
	/*
	 * A page table check counts every mapping of an anonymous page and
	 * BUGs at one it cannot tell from a wrong one: ours.
	 */
	if (IS_ENABLED(CONFIG_PAGE_TABLE_CHECK)) {
		pr_err("this kernel has CONFIG_PAGE_TABLE_CHECK, which forbids a second mapping of anonymous memory: use a kernel without it\n");
		return -EOPNOTSUPP;
	}
	return misc_register(&main_device);
}

static void __exit main_exit(void)
{
	misc_deregister(&main_device);
}

module_init(main_init);
module_exit(main_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Mirrors a process's memory into an OpenCL engine with HMM");
MODULE_VERSION(HMMSVM_RELEASE);
