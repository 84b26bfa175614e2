// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts: their lifetime, and who is application and who is engine.
 *
 * An mm is never both: zapping the engine's entries from a notifier of the
 * application enters the notifier machinery of the engine's mm, which must
 * end there. A global list makes that checkable.
 *
 * Locking: contexts_lock covers the list and writes of every engine_mm, and
 * nothing is waited for under it. app_mm is set once, under bind_mutex of the
 * context and contexts_lock, after everything else of the context is in place,
 * and read with smp_load_acquire() elsewhere.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cred.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pid.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "block.h"
#include "compat.h"
#include "devmem.h"
#include "migrate.h"

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

/* The engine's mm with a reference from mmget(); NULL if there is none, or it has ended. */
struct mm_struct *hmmsvm_context_get_engine(struct hmmsvm_context *ctx)
{
	struct mm_struct *mm;

	mutex_lock(&contexts_lock);
	mm = ctx->engine_mm;
	if (mm && !mmget_not_zero(mm))
		mm = NULL;
	mutex_unlock(&contexts_lock);
	return mm;
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
	refcount_set(&ctx->refs, 1);
	INIT_LIST_HEAD(&ctx->node);
	hmmsvm_share_init(ctx);
	xa_init_flags(&ctx->ranges, XA_FLAGS_ACCOUNT);
	mutex_init(&ctx->bind_mutex);
	mutex_init(&ctx->range_mutex);
	spin_lock_init(&ctx->pending_lock);
	INIT_LIST_HEAD(&ctx->pending);
	init_waitqueue_head(&ctx->poll_wait);
	hmmsvm_blocks_init(ctx);
	hmmsvm_advice_init(ctx);
	spin_lock_init(&ctx->events_lock);
	INIT_LIST_HEAD(&ctx->rings);
	file->f_mapping = inode->i_mapping;
	return ctx;
fail:
	kfree(ctx);
	return ERR_PTR(err);
}

/* Gives a reference back; the last one frees the memory. */
void hmmsvm_context_put(struct hmmsvm_context *ctx)
{
	if (!refcount_dec_and_test(&ctx->refs))
		return;
	hmmsvm_blocks_free(ctx);
	hmmsvm_advice_free(ctx);
	kfree(ctx);
}

/* Ends a context: its file is closed and the engine's mappings are gone. */
void hmmsvm_context_end(struct hmmsvm_context *ctx)
{
	if (ctx->app_mm) {
		mutex_lock(&contexts_lock);
		list_del(&ctx->node);
		mutex_unlock(&contexts_lock);

		hmmsvm_blocks_stop(ctx);
		if (ctx->devmem)
			hmmsvm_migrate_empty_of(ctx);
		hmmsvm_ranges_free(ctx);
		mmu_interval_notifier_remove(&ctx->app_notifier);
		mmdrop(ctx->app_mm);
		put_cred(ctx->app_cred);
	}
	if (ctx->engine_mm)
		mmdrop(ctx->engine_mm);
	hmmsvm_mirror_forget_pending(ctx);
	iput(ctx->inode);
	simple_release_fs(&contexts_mount, &contexts_mount_count);
	hmmsvm_context_put(ctx);
}

/*
 * Watches the first page, where nothing ever changes, for the end of the
 * application's address space: by exit, or by exec.
 */
static bool context_app_invalidate(struct mmu_interval_notifier *notifier,
				   const struct mmu_notifier_range *change, unsigned long seq)
{
	struct hmmsvm_context *ctx = container_of(notifier, struct hmmsvm_context, app_notifier);

	mmu_interval_set_seq(notifier, seq);
	if (change->event == MMU_NOTIFY_RELEASE) {
		WRITE_ONCE(ctx->app_gone, true);
		wake_up_all(&ctx->poll_wait);
	}
	return true;
}

static const struct mmu_interval_notifier_ops context_app_ops = {
	.invalidate = context_app_invalidate,
};

/* Whether @mm is some context's engine. Under contexts_lock. */
static bool contexts_have_engine(const struct mm_struct *mm)
{
	struct hmmsvm_context *ctx;

	lockdep_assert_held(&contexts_lock);
	list_for_each_entry(ctx, &contexts, node)
		if (ctx->engine_mm == mm)
			return true;
	return false;
}

static bool fault_around_valid(unsigned int pages)
{
	return pages && pages <= HMMSVM_BLOCK_PAGES && is_power_of_2(pages);
}

/* Makes the caller the context's application. See struct hmmsvm_create. */
int hmmsvm_context_bind(struct hmmsvm_context *ctx, const struct hmmsvm_create *how)
{
	struct mm_struct *mm = current->mm;
	unsigned int around = how->fault_around;
	unsigned long end;
	bool is_engine;
	int err;

	if (!around) {
		around = READ_ONCE(fault_around);
		if (!fault_around_valid(around)) {
			pr_warn_once("parameter fault_around=%u is not a power of two from 1 to %lu, taking %lu\n",
				     around, HMMSVM_BLOCK_PAGES, HMMSVM_BLOCK_PAGES);
			around = HMMSVM_BLOCK_PAGES;
		}
	}
	if (how->flags || !fault_around_valid(around) ||
	    !how->window_len || !PAGE_ALIGNED(how->window_start) ||
	    !PAGE_ALIGNED(how->window_len) ||
	    check_add_overflow((unsigned long)how->window_start,
			       (unsigned long)how->window_len, &end) ||
	    how->window_start < PAGE_SIZE || end > DEFAULT_MAP_WINDOW)
		return -EINVAL;
	if (how->memory && !hmmsvm_devmem_at(how->memory))
		return -ENODEV;

	if (mutex_lock_interruptible(&ctx->bind_mutex))
		return -EINTR;
	/* An engine must not even get a notifier by trying. */
	mutex_lock(&contexts_lock);
	is_engine = contexts_have_engine(mm);
	mutex_unlock(&contexts_lock);
	err = -EBUSY;
	if (ctx->app_mm || is_engine)
		goto out;

	ctx->window_start = how->window_start;
	ctx->window_end = end;
	ctx->va_start = HMMSVM_VA_START;
	ctx->va_end = DEFAULT_MAP_WINDOW & PAGE_MASK;
	ctx->fault_around = around;
	ctx->devmem = hmmsvm_devmem_at(how->memory);
	hmmsvm_share_bind(ctx);

	/*
	 * The first interval notifier of an mm takes its mmap_lock, for writing
	 * and without an end to the wait: here, where the caller waits for
	 * itself alone, and never in a device fault.
	 */
	err = mmu_interval_notifier_insert(&ctx->app_notifier, mm, 0, PAGE_SIZE,
					   &context_app_ops);
	if (err)
		goto out;

	mutex_lock(&contexts_lock);
	if (contexts_have_engine(mm)) {
		err = -EBUSY;
	} else {
		mmgrab(mm);
		ctx->app_cred = get_current_cred();
		list_add(&ctx->node, &contexts);
		/* Pairs with hmmsvm_context_bound(): who sees app_mm sees all of the above. */
		smp_store_release(&ctx->app_mm, mm);
	}
	mutex_unlock(&contexts_lock);
	if (err)
		mmu_interval_notifier_remove(&ctx->app_notifier);
	else
		hmmsvm_blocks_start(ctx);
out:
	mutex_unlock(&ctx->bind_mutex);
	return err;
}

/*
 * Whether the caller's parent runs in the application's address space: the
 * application itself, or a helper it made with CLONE_VM to start the engine.
 * A parent thread that is just exiting speaks through its thread group leader.
 */
static bool context_is_child(struct hmmsvm_context *ctx)
{
	struct task_struct *parent;
	struct mm_struct *mm;

	rcu_read_lock();
	parent = rcu_dereference(current->real_parent);
	mm = get_task_mm(parent);
	if (!mm)
		mm = get_task_mm(parent->group_leader);
	rcu_read_unlock();
	if (mm)
		mmput_async(mm);
	return mm && mm == ctx->app_mm;
}

/*
 * Whether the caller has called execve() since it was made. A forked child has a
 * copy of the application's descriptors whether that is wanted or not; a program
 * that it starts only has those that it is meant to have.
 */
static bool context_is_program(void)
{
	return current->self_exec_id != current->parent_exec_id;
}

/*
 * Whether the caller is still what the application was: a child that gave up
 * rights must not get at the memory of one that has them.
 */
static bool context_same_rights(struct hmmsvm_context *ctx)
{
	const struct cred *app = ctx->app_cred, *own = current_cred();

	return app->user_ns == own->user_ns &&
	       uid_eq(app->uid, own->uid) && uid_eq(app->euid, own->euid) &&
	       uid_eq(app->suid, own->suid) && gid_eq(app->gid, own->gid) &&
	       gid_eq(app->egid, own->egid) && gid_eq(app->sgid, own->sgid) &&
	       cap_issubset(app->cap_permitted, own->cap_permitted);
}

/* Whether the caller may look into, and steer, a context from outside. */
static bool context_may_target(struct hmmsvm_context *ctx)
{
	return context_same_rights(ctx) || ns_capable(ctx->app_cred->user_ns, CAP_SYS_PTRACE);
}

/*
 * The context that @target names, with a reference, or an ERR_PTR: -ENOTCONN,
 * -EPERM, -ESRCH, -ENOENT. @own is that of the file that was asked.
 */
struct hmmsvm_context *hmmsvm_context_target(struct hmmsvm_context *own,
					     const struct hmmsvm_target *target)
{
	struct hmmsvm_context *ctx, *found = ERR_PTR(-ENOENT);
	struct task_struct *task;
	struct mm_struct *mm;
	unsigned int n = 0;
	struct pid *pid;

	if (!target->pid) {
		if (!hmmsvm_context_bound(own))
			return ERR_PTR(-ENOTCONN);
		if (!hmmsvm_context_is_party(own))
			return ERR_PTR(-EPERM);
		hmmsvm_context_get(own);
		return own;
	}

	pid = find_get_pid(target->pid);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return ERR_PTR(-ESRCH);
	mm = get_task_mm(task);
	put_task_struct(task);
	if (!mm)
		return ERR_PTR(-ESRCH);

	mutex_lock(&contexts_lock);
	/* The youngest is at the head of the list. */
	list_for_each_entry_reverse(ctx, &contexts, node) {
		if (ctx->app_mm != mm || n++ != target->context)
			continue;
		if (context_may_target(ctx)) {
			hmmsvm_context_get(ctx);
			found = ctx;
		} else {
			found = ERR_PTR(-EPERM);
		}
		break;
	}
	mutex_unlock(&contexts_lock);
	mmput(mm);
	return found;
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
	if (!context_is_child(ctx) || !context_is_program() || !context_same_rights(ctx))
		return -EPERM;
	/* See range_zap(): notifiers of others and the mirror do not go together. */
	if (mm_has_notifiers(mm))
		return -EBUSY;

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
	if (old) {
		hmmsvm_mirror_forget_pending(ctx);
		mmdrop(old);
	}
	return err;
}
