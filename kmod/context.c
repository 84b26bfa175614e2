// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts: their lifetime, and who is application and who is engine.
 *
 * An mm is never both: zapping the engine's entries from a notifier of the
 * application enters the notifier machinery of the engine's mm, which must
 * end there. A global list makes that checkable.
 *
 * Locking: contexts_lock covers the list and writes of every engine_mm. app_mm
 * is set once, under contexts_lock, after everything else of the context is
 * in place, and read with smp_load_acquire() elsewhere.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "compat.h"
#include "hmmsvm.h"

/* What vm.mmap_min_addr is everywhere; below it nobody maps anything. */
#define HMMSVM_VA_START 0x10000UL
#define HMMSVM_FS_MAGIC 0x484d4d53	/* "HMMS" */

static unsigned int fault_around = HMMSVM_BLOCK_PAGES;
module_param(fault_around, uint, 0644);
MODULE_PARM_DESC(fault_around,
		 "most pages one device fault mirrors, a power of two from 1 to 512 (default 512)");

static DEFINE_MUTEX(contexts_lock);
static LIST_HEAD(contexts);

/* A file system of our own gives each context an inode, thus an i_mapping. */
static struct vfsmount *contexts_mount;
static int contexts_mount_count;

static int contexts_fs_init(struct fs_context *fc)
{
	return init_pseudo(fc, HMMSVM_FS_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type contexts_fs = {
	.name = "hmmsvm",
	.owner = THIS_MODULE,
	.init_fs_context = contexts_fs_init,
	.kill_sb = kill_anon_super,
};

/* Whether the context has its application. Everything set with it is visible. */
bool hmmsvm_context_bound(struct hmmsvm_context *ctx)
{
	/* Pairs with hmmsvm_context_bind(). */
	return smp_load_acquire(&ctx->app_mm);
}

/* Whether the caller is the context's engine; if so it stays so while it lives. */
bool hmmsvm_context_is_engine(struct hmmsvm_context *ctx)
{
	return current->mm && READ_ONCE(ctx->engine_mm) == current->mm;
}

/* Whether the caller is the context's application or its engine. */
bool hmmsvm_context_is_party(struct hmmsvm_context *ctx)
{
	return hmmsvm_context_bound(ctx) &&
	       (ctx->app_mm == current->mm || hmmsvm_context_is_engine(ctx));
}

/* A context for a file just opened, of nobody yet. The file's mapping becomes its own. */
struct hmmsvm_context *hmmsvm_context_new(struct file *file)
{
	struct hmmsvm_context *ctx;
	struct inode *inode;
	int err;

	ctx = kzalloc_obj(*ctx, GFP_KERNEL_ACCOUNT);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	/* Mounted only while there are contexts: a mount keeps the module. */
	err = simple_pin_fs(&contexts_fs, &contexts_mount, &contexts_mount_count);
	if (err)
		goto fail;
	inode = alloc_anon_inode(contexts_mount->mnt_sb);
	if (IS_ERR(inode)) {
		err = PTR_ERR(inode);
		simple_release_fs(&contexts_mount, &contexts_mount_count);
		goto fail;
	}
	ctx->inode = inode;
	INIT_LIST_HEAD(&ctx->node);
	xa_init(&ctx->ranges);
	mutex_init(&ctx->range_mutex);
	spin_lock_init(&ctx->errors_lock);
	INIT_LIST_HEAD(&ctx->errors);
	init_waitqueue_head(&ctx->poll_wait);
	file->f_mapping = inode->i_mapping;
	return ctx;
fail:
	kfree(ctx);
	return ERR_PTR(err);
}

/* Ends a context: its file is closed and the engine's mappings are gone. */
void hmmsvm_context_free(struct hmmsvm_context *ctx)
{
	if (ctx->app_mm) {
		mutex_lock(&contexts_lock);
		list_del(&ctx->node);
		mutex_unlock(&contexts_lock);

		hmmsvm_ranges_free(ctx);
		mmu_notifier_unregister(&ctx->app_notifier, ctx->app_mm);
		mmdrop(ctx->app_mm);
	}
	if (ctx->engine_mm)
		mmdrop(ctx->engine_mm);
	hmmsvm_mirror_forget_errors(ctx);
	iput(ctx->inode);
	simple_release_fs(&contexts_mount, &contexts_mount_count);
	kfree(ctx);
}

/* The application's address space ends: by exit, or by exec. */
static void context_app_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct hmmsvm_context *ctx = container_of(notifier, struct hmmsvm_context, app_notifier);

	WRITE_ONCE(ctx->app_gone, true);
	wake_up_all(&ctx->poll_wait);
}

static const struct mmu_notifier_ops context_app_ops = {
	.release = context_app_release,
};

static bool fault_around_valid(unsigned int pages)
{
	return pages && pages <= HMMSVM_BLOCK_PAGES && is_power_of_2(pages);
}

/* Makes the caller the context's application. See struct hmmsvm_create. */
int hmmsvm_context_bind(struct hmmsvm_context *ctx, const struct hmmsvm_create *how)
{
	struct mm_struct *mm = current->mm;
	unsigned int around = how->fault_around;
	struct hmmsvm_context *other;
	unsigned long end;
	int err;

	if (!around) {
		around = READ_ONCE(fault_around);
		if (!fault_around_valid(around)) {
			pr_warn_once("parameter fault_around=%u is not a power of two from 1 to %lu, taking %lu\n",
				     around, HMMSVM_BLOCK_PAGES, HMMSVM_BLOCK_PAGES);
			around = HMMSVM_BLOCK_PAGES;
		}
	}
	if (how->flags || how->reserved || !fault_around_valid(around) ||
	    !how->window_len || !PAGE_ALIGNED(how->window_start) ||
	    !PAGE_ALIGNED(how->window_len) ||
	    check_add_overflow((unsigned long)how->window_start,
			       (unsigned long)how->window_len, &end) ||
	    how->window_start < PAGE_SIZE || end > DEFAULT_MAP_WINDOW)
		return -EINVAL;

	mutex_lock(&contexts_lock);
	err = -EBUSY;
	if (ctx->app_mm)
		goto out;
	list_for_each_entry(other, &contexts, node)
		if (other->engine_mm == mm)
			goto out;

	ctx->window_start = how->window_start;
	ctx->window_end = end;
	ctx->va_start = HMMSVM_VA_START;
	ctx->va_end = DEFAULT_MAP_WINDOW & PAGE_MASK;
	ctx->fault_around = around;

	/*
	 * The first registration of an mm takes its mmap_lock: here, where the
	 * caller is the application itself, and never from a device fault.
	 */
	ctx->app_notifier.ops = &context_app_ops;
	err = mmu_notifier_register(&ctx->app_notifier, mm);
	if (err)
		goto out;
	mmgrab(mm);
	/* Pairs with hmmsvm_context_bound(): who sees app_mm sees all of the above. */
	smp_store_release(&ctx->app_mm, mm);
	list_add(&ctx->node, &contexts);
out:
	mutex_unlock(&contexts_lock);
	return err;
}

/*
 * Whether the caller's parent runs in the application's address space: the
 * application itself, or a helper it made with CLONE_VM to start the engine.
 */
static bool context_is_child(struct hmmsvm_context *ctx)
{
	struct task_struct *parent;
	struct mm_struct *mm;

	rcu_read_lock();
	parent = get_task_struct(rcu_dereference(current->real_parent));
	rcu_read_unlock();
	mm = get_task_mm(parent);
	put_task_struct(parent);
	if (mm)
		mmput(mm);
	return mm && mm == ctx->app_mm;
}

/* Makes the caller the context's engine. See struct hmmsvm_attach. */
int hmmsvm_context_attach(struct hmmsvm_context *ctx)
{
	struct mm_struct *mm = current->mm, *old = NULL;
	struct hmmsvm_context *other;
	int err;

	if (!hmmsvm_context_bound(ctx))
		return -ENOTCONN;
	if (READ_ONCE(ctx->app_gone))
		return -ESRCH;
	if (!context_is_child(ctx))
		return -EPERM;

	mutex_lock(&contexts_lock);
	err = -EBUSY;
	list_for_each_entry(other, &contexts, node)
		if (other->app_mm == mm || other->engine_mm == mm)
			goto out;
	if (ctx->engine_mm) {
		/* The former engine must have ended, all its threads included. */
		if (mmget_not_zero(ctx->engine_mm)) {
			mmput_async(ctx->engine_mm);
			goto out;
		}
		old = ctx->engine_mm;
	}
	mmgrab(mm);
	WRITE_ONCE(ctx->engine_mm, mm);
	err = 0;
out:
	mutex_unlock(&contexts_lock);
	if (old)
		mmdrop(old);
	return err;
}
