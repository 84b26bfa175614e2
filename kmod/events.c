// SPDX-License-Identifier: GPL-2.0
/*
 * Telling what happens: event rings that are mapped by who wants to know, and
 * tracepoints.
 *
 * A ring is memory of its own that the module writes and others map read-only.
 * Nothing in it is ever read back. It lives as long as its file, which holds the
 * context's memory.
 *
 * Locking: ctx->events_lock, a leaf, covers the list of rings and writing to them.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "events.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define EVENTS_MIN	128
#define EVENTS_MAX	(1U << 20)
#define EVENTS_RINGS	4
#define EVENTS_OTHERS	3	/* of these, for other processes than application and engine */

struct event_ring {
	struct list_head node;		/* ctx->rings */
	struct hmmsvm_context *ctx;
	bool other;			/* made by none of the context's own processes */
	u64 head;
	u32 entries;
	unsigned long bytes;
	struct hmmsvm_event_ring *shared;
};

static void events_trace(struct hmmsvm_context *ctx, const struct hmmsvm_event *e)
{
	switch (e->type) {
	case HMMSVM_EVENT_DEVICE_FAULT:
		trace_hmmsvm_device_fault(ctx, e);
		break;
	case HMMSVM_EVENT_CPU_FAULT:
		trace_hmmsvm_cpu_fault(ctx, e);
		break;
	case HMMSVM_EVENT_TO_DEVICE:
		trace_hmmsvm_to_device(ctx, e);
		break;
	case HMMSVM_EVENT_TO_SYSTEM:
		trace_hmmsvm_to_system(ctx, e);
		break;
	case HMMSVM_EVENT_EVICT:
		trace_hmmsvm_evict(ctx, e);
		break;
	case HMMSVM_EVENT_WITHDRAW:
		trace_hmmsvm_withdraw(ctx, e);
		break;
	case HMMSVM_EVENT_FAILED:
		trace_hmmsvm_failed(ctx, e);
		break;
	}
}

/* Something happened in @ctx, from @begin_ns until now. */
void hmmsvm_event(struct hmmsvm_context *ctx, enum hmmsvm_event_type type, unsigned int flags,
		  unsigned long address, unsigned long pages, u64 begin_ns)
{
	u64 now = ktime_get_ns();
	struct hmmsvm_event e = {
		.ns = now,
		.address = address,
		.pages = pages,
		.type = type,
		.flags = flags,
		.tid = task_pid_nr(current),
		.took_ns = min_t(u64, now - begin_ns, U32_MAX),
	};
	struct event_ring *ring;

	events_trace(ctx, &e);
	if (likely(list_empty(&ctx->rings)))
		return;
	spin_lock(&ctx->events_lock);
	list_for_each_entry(ring, &ctx->rings, node) {
		struct hmmsvm_event *entries = (void *)ring->shared + ring->shared->offset;

		entries[ring->head & (ring->entries - 1)] = e;
		/* Pairs with the reader's acquire: the event is there before its number. */
		smp_store_release(&ring->shared->head, ++ring->head);
	}
	spin_unlock(&ctx->events_lock);
}

static vm_fault_t events_vm_fault(struct vm_fault *vmf)
{
	struct event_ring *ring = vmf->vma->vm_private_data;
	struct page *page;

	if (vmf->pgoff >= ring->bytes >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	page = vmalloc_to_page((void *)ring->shared + (vmf->pgoff << PAGE_SHIFT));
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct events_vm_ops = {
	.fault = events_vm_fault,
};

static int events_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EPERM;
	/* The core takes VM_SHARED from shared mappings of files that are read-only. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_ops = &events_vm_ops;
	vma->vm_private_data = file->private_data;
	return 0;
}

/* One ring more, if there may be; @other than the context's own processes cannot have all. */
static bool events_take(struct hmmsvm_context *ctx, bool other)
{
	bool room;

	spin_lock(&ctx->events_lock);
	room = ctx->nr_rings < EVENTS_RINGS && (!other || ctx->nr_rings_others < EVENTS_OTHERS);
	if (room) {
		ctx->nr_rings++;
		ctx->nr_rings_others += other;
	}
	spin_unlock(&ctx->events_lock);
	return room;
}

static void events_give_back(struct hmmsvm_context *ctx, bool other)
{
	spin_lock(&ctx->events_lock);
	ctx->nr_rings--;
	ctx->nr_rings_others -= other;
	spin_unlock(&ctx->events_lock);
}

static int events_release(struct inode *inode, struct file *file)
{
	struct event_ring *ring = file->private_data;
	struct hmmsvm_context *ctx = ring->ctx;

	spin_lock(&ctx->events_lock);
	list_del(&ring->node);
	spin_unlock(&ctx->events_lock);
	events_give_back(ctx, ring->other);
	vfree(ring->shared);
	kfree(ring);
	hmmsvm_context_put(ctx);
	return 0;
}

static const struct file_operations events_fops = {
	.owner = THIS_MODULE,
	.release = events_release,
	.mmap = events_mmap,
};

/*
 * HMMSVM_IOC_EVENTS. *@file is what the descriptor in @events is to be of, once the caller has been
 * told which it is.
 */
int hmmsvm_events_create(struct hmmsvm_context *ctx, struct hmmsvm_events *events,
			 struct file **file)
{
	bool other = !hmmsvm_context_is_party(ctx);
	struct event_ring *ring;
	struct file *made;
	int fd;

	/* Who has no room for the descriptor could not close it. */
	if (events->size < offsetofend(struct hmmsvm_events, fd))
		return -EINVAL;
	if (events->reserved || events->entries < EVENTS_MIN || events->entries > EVENTS_MAX ||
	    !is_power_of_2(events->entries))
		return -EINVAL;
	if (!events_take(ctx, other))
		return -EBUSY;
	fd = -ENOMEM;
	ring = kzalloc_obj(*ring, GFP_KERNEL_ACCOUNT);
	if (!ring)
		goto fail;
	ring->other = other;
	ring->entries = events->entries;
	ring->bytes = PAGE_SIZE +
		      PAGE_ALIGN((unsigned long)ring->entries * sizeof(struct hmmsvm_event));
	ring->shared = __vmalloc(ring->bytes, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!ring->shared)
		goto fail_ring;
	ring->shared->entries = ring->entries;
	ring->shared->entry_size = sizeof(struct hmmsvm_event);
	ring->shared->offset = PAGE_SIZE;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		goto fail_shared;
	made = anon_inode_getfile("[hmmsvm-events]", &events_fops, ring, O_RDONLY);
	if (IS_ERR(made)) {
		put_unused_fd(fd);
		fd = PTR_ERR(made);
		goto fail_shared;
	}
	/* From here on the file's release undoes it all. */
	ring->ctx = ctx;
	hmmsvm_context_get(ctx);
	spin_lock(&ctx->events_lock);
	list_add_tail(&ring->node, &ctx->rings);
	spin_unlock(&ctx->events_lock);
	events->fd = fd;
	events->bytes = ring->bytes;
	*file = made;
	return 0;
fail_shared:
	vfree(ring->shared);
fail_ring:
	kfree(ring);
fail:
	events_give_back(ctx, other);
	return fd;
}
