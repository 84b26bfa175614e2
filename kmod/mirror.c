// SPDX-License-Identifier: GPL-2.0
/*
 * The mirror: the engine's mapping of the application's memory, and its faults.
 *
 * A device fault has two phases, as the mmap_locks of two address spaces must
 * never be held together:
 *
 *  insert   With the engine's lock held by the core: try the application's
 *           mmap_lock, take a snapshot of its page table around the address
 *           (nothing is faulted in), and set the engine's entries from it, if
 *           no invalidation came in between. This alone is the common case.
 *  bring in Where the snapshot does not allow the access, or the lock was
 *           taken: drop the engine's lock, wait for the application's, fault
 *           the page in on its side as its own access would, take a snapshot,
 *           leave it for the thread, and have the core start the fault over
 *           (VM_FAULT_RETRY). It then begins with that snapshot and needs the
 *           application's lock no more: however busy that is, a fault that
 *           has waited for it once gets on, unless the page itself changed.
 *
 * Where the context has device memory, the policy is asked before a page that is
 * not in it gets an entry (block.c). If it wants the page to move, that happens
 * in the second phase. What the policy may still decide about gets no entry
 * unasked: of system memory that could move, the range that the policy wants shown, or
 * only the region of the fault, is mapped at once; of device memory all there is
 * around it. The entry of a device page shows the memory behind it (devmem.c). The
 * application's page table may show it as well, where the memory is coherent.
 *
 * The policy's tick sets entries without a fault, by the first phase alone and where it
 * need not wait: what it leaves out is seen by a fault.
 *
 * Entries are ordinary PFNs without a reference to their pages: what keeps a
 * page is the application's own mapping, and nobody takes that away without
 * the notifier that takes ours away first (range.c).
 *
 * The dirty bit of such an entry is lost when it is zapped. So a page is
 * marked dirty when it is made writable, at which moment the application's
 * mapping is writable too.
 *
 * Rights are those of the application's mapping for reading and writing. The
 * mirror is executable throughout: x86 would not let a fault through that
 * could refuse execution of a page that is present for reading.
 *
 * Locking: see hmmsvm.h.
 */
#include <linux/backing-dev.h>
#include <linux/file.h>
#include <linux/hmm.h>
#include <linux/magic.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>
#include <linux/writeback.h>	/* struct folio_batch, whose own header has two names */

#include "block.h"
#include "compat.h"
#include "devmem.h"
#include "events.h"
#include "migrate.h"

#define MIRROR_MAX_PENDING 4096

/* Snapshots are repeated so often for an invalidation before giving way to it. */
#define MIRROR_TRIES 3

/* One device fault. */
struct mirror_fault {
	struct hmmsvm_context *ctx;
	struct vm_area_struct *vma;	/* the engine's; NULL while it is unlocked */
	unsigned long vma_start, vma_end;
	pmd_t *pmd;			/* may get an entry for all of the block; NULL: may not */
	unsigned long addr;		/* of the page */
	bool write;

	/* Filled in by the snapshot. */
	struct hmmsvm_range *range;
	unsigned long start, end;	/* what may be set */
	unsigned long base;		/* address of the first of pfns */
	unsigned long seq;
	bool spread_writable;		/* neighbours may become writable too */
	bool present;			/* there is a page, whether it allows the access or not */
	bool migratable;		/* of a kind that can be in device memory */
	bool confined;			/* system memory: map no more than mirror_shown() */
	bool unasked;			/* no fault: of system memory only what the policy says */
	bool whole_writable;		/* one entry for all of the block may be writable */
	struct page *dpage;		/* the device page that was found; NULL: none */
	pgprot_t prot;			/* of a read-only entry */
	unsigned long *pfns;

	u64 begin;			/* of the fault, or of its second part */
	u64 moving_ns;			/* of that, pages moved to device memory */
	u64 spent_ns;			/* the rest, in the first part; 0: nothing moved */

	/* What the policy said. */
	bool decided;
	bool sampled;			/* entries of the block had been withdrawn */
	struct hmmsvm_block *block;
	struct hmmsvm_policy_decision decision;

	/* Filled in while entries are set. */
	unsigned int set, writable, upgraded, device, huge;
	bool activates;			/* this CPU's batch for the active list is not empty */
};

/*
 * What the second phase leaves for the thread when its fault starts over: how
 * it fails, or a snapshot to go on with.
 */
struct mirror_pending {
	struct list_head node;
	struct task_struct *task;	/* compared only */
	vm_fault_t error;
	struct mirror_fault fault;	/* its pfns are the entry's */
};

static void mirror_pending_free(struct mirror_pending *p)
{
	if (p)
		kfree(p->fault.pfns);
	kfree(p);
}

/* Takes what is left for this thread; NULL if nothing is. The caller frees it. */
static struct mirror_pending *mirror_pending_take(struct hmmsvm_context *ctx)
{
	struct mirror_pending *p, *found = NULL;

	if (likely(!READ_ONCE(ctx->nr_pending)))
		return NULL;
	spin_lock(&ctx->pending_lock);
	list_for_each_entry(p, &ctx->pending, node)
		if (p->task == current) {
			found = p;
			list_del(&p->node);
			WRITE_ONCE(ctx->nr_pending, ctx->nr_pending - 1);
			break;
		}
	spin_unlock(&ctx->pending_lock);
	return found;
}

/*
 * Leaves @error, or the snapshot in @f whose pfns it takes over, for this
 * thread, which has nothing left for it yet. Without memory the fault just
 * starts over.
 */
static void mirror_pending_put(struct mirror_fault *f, vm_fault_t error)
{
	struct mirror_pending *p = kmalloc_obj(*p, GFP_KERNEL_ACCOUNT);
	struct hmmsvm_context *ctx = f->ctx;

	if (!p)
		return;
	p->task = current;
	p->error = error;
	p->fault = *f;
	f->pfns = NULL;
	spin_lock(&ctx->pending_lock);
	if (ctx->nr_pending < MIRROR_MAX_PENDING) {
		list_add(&p->node, &ctx->pending);
		WRITE_ONCE(ctx->nr_pending, ctx->nr_pending + 1);
		p = NULL;
	}
	spin_unlock(&ctx->pending_lock);
	mirror_pending_free(p);
}

/* Frees what was left for threads of a former engine. */
void hmmsvm_mirror_forget_pending(struct hmmsvm_context *ctx)
{
	struct mirror_pending *p, *next;
	LIST_HEAD(pending);

	spin_lock(&ctx->pending_lock);
	list_splice_init(&ctx->pending, &pending);
	WRITE_ONCE(ctx->nr_pending, 0);
	spin_unlock(&ctx->pending_lock);
	list_for_each_entry_safe(p, next, &pending, node)
		mirror_pending_free(p);
}

/* Whether the application's mapping @vma allows the access at all: 0 or an error. */
static vm_fault_t mirror_check(const struct vm_area_struct *vma, bool write)
{
	if (!vma)
		return VM_FAULT_SIGSEGV;
	if (!(vma->vm_flags & VM_READ))
		return VM_FAULT_SIGSEGV;
	/* Only the CPU's own calls and returns write to a shadow stack. */
	if (write && (!(vma->vm_flags & VM_WRITE) || (vma->vm_flags & VM_SHADOW_STACK)))
		return VM_FAULT_SIGSEGV;
	/* Memory of other devices: no pages to show, or not to be cached as ours would be. */
	if ((vma->vm_flags & (VM_IO | VM_PFNMAP)) ||
	    (pgprot_val(vma->vm_page_prot) & _PAGE_CACHE_MASK))
		return VM_FAULT_SIGBUS;
	/* Sealed against everyone else, the kernel included. */
	if (vma->vm_file && file_inode(vma->vm_file)->i_sb->s_magic == SECRETMEM_MAGIC)
		return VM_FAULT_SIGBUS;
	return 0;
}

/* The part of the block around @f->addr that one fault may fill. */
static void mirror_fault_extent(struct mirror_fault *f, const struct vm_area_struct *app_vma)
{
	unsigned long size = (unsigned long)f->ctx->fault_around << PAGE_SHIFT;

	f->start = f->addr & ~(size - 1);
	f->end = f->start + size;
	f->start = max3(f->start, app_vma->vm_start, f->vma_start);
	f->end = min3(f->end, app_vma->vm_end, f->vma_end);
	/* A snapshot that begins inside a huge device page is wrong, on 7.x. */
	f->base = f->start;
	if (HMMSVM_HUGE_DEVICE_PAGES && f->ctx->devmem)
		f->base = max(ALIGN_DOWN(f->start, HMMSVM_BLOCK_SIZE), app_vma->vm_start);
}

/*
 * Reads the application's page table into f->pfns, with its mmap_lock held.
 * Returns VM_FAULT_NOPAGE, 0 if the page has to be brought in first,
 * VM_FAULT_RETRY if an invalidation came in between, or an error if the access
 * is not allowed.
 */
static vm_fault_t mirror_snapshot(struct mirror_fault *f)
{
	struct hmmsvm_context *ctx = f->ctx;
	struct vm_area_struct *vma = vma_lookup(ctx->app_mm, f->addr);
	struct hmm_range hmm = { .hmm_pfns = f->pfns };
	unsigned long pfn;
	vm_fault_t ret;

	mmap_assert_locked(ctx->app_mm);
	ret = mirror_check(vma, f->write);
	if (ret)
		return ret;

	mirror_fault_extent(f, vma);
	/*
	 * Every write to a shared file has to be announced page by page; and an entry of a
	 * shadow stack is taken for writable.
	 */
	f->spread_writable = !(vma->vm_flags & VM_SHADOW_STACK) &&
			     (!(vma->vm_flags & VM_SHARED) || !vma->vm_file ||
			      !mapping_can_writeback(vma->vm_file->f_mapping));

	f->seq = mmu_interval_read_begin(&f->range->notifier);
	f->migratable = ctx->devmem && hmmsvm_migrate_possible(vma);
	f->confined = f->migratable && (READ_ONCE(ctx->placement)->device_fault ||
					READ_ONCE(ctx->advised));
	hmm.notifier = &f->range->notifier;
	hmm.notifier_seq = f->seq;
	hmm.start = f->base;
	hmm.end = f->end;
	hmm.dev_private_owner = hmmsvm_devmem_owner();
	memset(f->pfns, 0, ((f->end - f->base) >> PAGE_SHIFT) * sizeof(*f->pfns));
	if (hmm_range_fault(&hmm))
		return VM_FAULT_RETRY;

	pfn = f->pfns[(f->addr - f->base) >> PAGE_SHIFT];
	f->present = pfn & HMM_PFN_VALID;
	f->dpage = NULL;
	if (f->present && ctx->devmem && hmmsvm_devmem_of(hmm_pfn_to_page(pfn)))
		f->dpage = hmm_pfn_to_page(pfn);
	if ((pfn & HMM_PFN_VALID) && (!f->write || (pfn & HMM_PFN_WRITE)))
		return VM_FAULT_NOPAGE;
	return 0;
}

/*
 * Asks the policy, once a fault. Returns whether it wants pages to be moved to
 * device memory first.
 */
static bool mirror_decide(struct mirror_fault *f)
{
	struct hmmsvm_context *ctx = f->ctx;

	if (!ctx->devmem || f->decided)
		return false;
	f->decided = true;
	if (!f->migratable) {
		if (READ_ONCE(ctx->placement)->device_fault)
			hmmsvm_count(ctx, failed_kind);
		return false;
	}
	f->block = hmmsvm_block_get(ctx, f->addr);
	if (!f->block)
		return false;
	f->sampled = hmmsvm_block_device_fault(ctx, f->block, f->addr, f->write, f->present,
					       f->dpage, &f->decision);
	return f->decision.action == HMMSVM_ACTION_TO_DEVICE;
}

/* Whether the policy wants the device to see a range where it is. */
static bool mirror_has_range(const struct mirror_fault *f)
{
	return f->decision.action == HMMSVM_ACTION_NONE && f->decision.count;
}

/* Whether system memory at @addr may get an entry unasked. */
static bool mirror_shown(const struct mirror_fault *f, unsigned long addr)
{
	unsigned int page = (addr & (HMMSVM_BLOCK_SIZE - 1)) >> PAGE_SHIFT;

	if (mirror_has_range(f))
		return page >= f->decision.first && page - f->decision.first < f->decision.count &&
		       !(f->unasked && hmmsvm_pages_test(&f->decision.except, page));
	if (f->unasked)
		return false;
	if (!f->confined)
		return true;
	return !((addr ^ f->addr) & ~(HMMSVM_REGION_PAGES * PAGE_SIZE - 1));
}

/* Whether entries become writable where the application may write, whatever the fault was. */
static bool mirror_all_writable(const struct mirror_fault *f)
{
	return f->migratable && f->decision.writable && f->spread_writable;
}

/*
 * Reclaim does not see the engine's entries, so it is told. With the second time a folio waits
 * in a batch of this CPU for the active list, and that holds a reference.
 */
static void mirror_mark_accessed(struct mirror_fault *f, struct folio *folio)
{
	f->activates |= folio_test_referenced(folio) && !folio_test_active(folio);
	folio_mark_accessed(folio);
}

/*
 * Empties the batches of this CPU, under the page table lock that keeps it this one: what waits
 * in them does not move, as the core looks into those of other CPUs only for folios that are on
 * no list yet (migrate_device_unmap()). lru_add_drain() is not exported; this calls it first.
 */
static void mirror_drain(struct mirror_fault *f)
{
	struct folio_batch none;

	if (!f->activates)
		return;
	f->activates = false;
	folio_batch_init(&none);
	__folio_batch_release(&none);
}

static void mirror_set_one(struct mirror_fault *f, pte_t *ptep, unsigned long addr)
{
	unsigned long hmm_pfn = f->pfns[(addr - f->base) >> PAGE_SHIFT];
	unsigned long pfn = hmm_pfn & ~HMM_PFN_FLAGS;
	struct hmmsvm_devmem *dm = NULL;
	pte_t old = ptep_get(ptep), pte;
	struct page *page;
	bool write;

	if (!(hmm_pfn & HMM_PFN_VALID) || (hmm_pfn & HMM_PFN_ERROR))
		return;
	page = pfn_to_page(pfn);
	if (f->ctx->devmem)
		dm = hmmsvm_devmem_of(page);
	if (dm)
		pfn = page_to_pfn(hmmsvm_devmem_backing(dm, page));
	else if (!mirror_shown(f, addr))
		return;
	write = (hmm_pfn & HMM_PFN_WRITE) &&
		((f->write && (addr == f->addr || f->spread_writable)) || mirror_all_writable(f));

	/* What is neither present nor none is a marker, of no meaning here. */
	if (pte_present(old)) {
		/* As long as the sequence holds, nobody has changed the page. */
		if (!write || pte_write(old) || WARN_ON_ONCE(pte_pfn(old) != pfn))
			return;
		f->upgraded++;
	} else {
		f->set++;
		if (dm)
			f->device++;
		else if (!is_zero_pfn(pfn))
			mirror_mark_accessed(f, page_folio(page));
	}

	pte = pte_mkyoung(pte_mkspecial(pfn_pte(pfn, f->prot)));
	if (write) {
		/* Zapping drops the dirty bit, so the page has to have it now. */
		folio_mark_dirty(page_folio(page));
		pte = pte_mkdirty(pte_mkwrite_novma(pte));
		f->writable++;
	}
	set_pte_at(f->vma->vm_mm, addr, ptep, pte);
}

/* Sets one entry of the engine from the snapshot. Runs under its page table lock. */
static int mirror_set_pte(pte_t *ptep, unsigned long addr, void *data)
{
	struct mirror_fault *f = data;

	mirror_set_one(f, ptep, addr);
	if (addr + PAGE_SIZE == f->end)
		mirror_drain(f);
	return 0;
}

/*
 * The first PFN to show if all of the block can be shown by one entry of the
 * middle level: every page there, contiguous, and all allow the access. 0 if not.
 * Says whether the entry is to be writable.
 */
static unsigned long mirror_whole_block(struct mirror_fault *f)
{
	bool write = f->write && f->spread_writable, all_write = true;
	struct hmmsvm_devmem *dm = NULL;
	unsigned long first, flags, i;
	struct page *page;

	if (!f->pmd || f->end - f->start != HMMSVM_BLOCK_SIZE || (f->write && !write))
		return 0;
	flags = HMM_PFN_VALID | (write ? HMM_PFN_WRITE : 0);
	first = f->pfns[0] & ~HMM_PFN_FLAGS;
	if (!IS_ALIGNED(first, HMMSVM_BLOCK_PAGES))
		return 0;
	for (i = 0; i < HMMSVM_BLOCK_PAGES; i++) {
		if ((f->pfns[i] & (flags | HMM_PFN_ERROR)) != flags ||
		    (f->pfns[i] & ~HMM_PFN_FLAGS) != first + i)
			return 0;
		all_write &= !!(f->pfns[i] & HMM_PFN_WRITE);
	}
	f->whole_writable = write || (all_write && mirror_all_writable(f));
	page = pfn_to_page(first);
	if (f->ctx->devmem)
		dm = hmmsvm_devmem_of(page);
	if (!dm) {
		/* The core takes the huge zero page for its own wherever it finds it. */
		if (!folio_test_anon(page_folio(page)) && !READ_ONCE(page_folio(page)->mapping))
			return 0;
		/* What is shown is one range, but for pages that a tick leaves out. */
		if (f->unasked && hmmsvm_pages_count(&f->decision.except, 0, HMMSVM_BLOCK_PAGES))
			return 0;
		return mirror_shown(f, f->start) && mirror_shown(f, f->end - PAGE_SIZE) ? first : 0;
	}
	return page_to_pfn(hmmsvm_devmem_backing(dm, page));
}

/*
 * Shows all of the block from @pfn on with one entry. Returns 0, -EAGAIN if the
 * snapshot is out of date, or -EEXIST if there are small entries.
 */
static int mirror_set_huge(struct mirror_fault *f, unsigned long pfn)
{
	unsigned int nr = (f->start - f->range->start) >> HMMSVM_BLOCK_SHIFT;
	struct hmmsvm_range *range = f->range;
	struct mm_struct *mm = f->vma->vm_mm;
	unsigned int i, set = 0;
	int err = -EAGAIN;
	spinlock_t *ptl;
	pmd_t pmd;

	/* Nobody is about to put a table of small entries there. */
	down_write(&range->tables);
	down_read(&range->lock);
	if (mmu_interval_read_retry(&range->notifier, f->seq))
		goto out;
	ptl = pmd_lock(mm, f->pmd);
	err = -EEXIST;
	if (pmd_none(*f->pmd))
		set = HMMSVM_BLOCK_PAGES;
	else if (!pmd_leaf(*f->pmd))
		goto out_ptl;
	else if (WARN_ON_ONCE(pmd_pfn(*f->pmd) != pfn))
		goto out_ptl;
	err = 0;
	if (!set && (!f->whole_writable || pmd_write(*f->pmd)))
		goto out_ptl;
	pmd = pmd_mkyoung(pmd_mkspecial(pmd_mkhuge(pfn_pmd(pfn, f->prot))));
	if (f->whole_writable)
		pmd = pmd_mkdirty(pmd_mkwrite_novma(pmd));
	set_bit(nr, range->blocks);
	set_bit(nr, range->huge);
	set_pmd_at(mm, f->start, f->pmd, pmd);
	for (i = 0; i < HMMSVM_BLOCK_PAGES;) {
		struct folio *folio = page_folio(pfn_to_page((f->pfns[i] & ~HMM_PFN_FLAGS)));

		/* As for small entries. */
		if (f->whole_writable)
			folio_mark_dirty(folio);
		if (set && !f->dpage)
			mirror_mark_accessed(f, folio);
		i += folio_nr_pages(folio);
	}
	mirror_drain(f);
	f->huge += !!set;
	f->set += set;
	f->device += f->dpage ? set : 0;
	f->writable += f->whole_writable ? HMMSVM_BLOCK_PAGES : 0;
	f->upgraded += set ? 0 : HMMSVM_BLOCK_PAGES;
out_ptl:
	spin_unlock(ptl);
out:
	up_read(&range->lock);
	up_write(&range->tables);
	return err;
}

/*
 * Sets the engine's entries from the snapshot. Returns 0, -EAGAIN if it is out
 * of date, or -ENOMEM.
 */
static int mirror_set(struct mirror_fault *f)
{
	unsigned int nr = (f->addr - f->range->start) >> HMMSVM_BLOCK_SHIFT;
	struct hmmsvm_range *range = f->range;
	struct mm_struct *mm = f->vma->vm_mm;
	unsigned long size = f->end - f->start;
	unsigned long pfn = mirror_whole_block(f);
	unsigned int flags;
	int err;

	if (pfn) {
		err = mirror_set_huge(f, pfn);
		if (err != -EEXIST)
			return err;
	}

	might_lock(&range->lock);
	down_read(&range->tables);
	/*
	 * Page tables first: an allocation under range->lock may enter reclaim,
	 * whose notifier waits for that very lock.
	 */
	err = 0;
	if (test_bit(nr, range->huge))
		goto out_taken;
	err = apply_to_page_range(mm, f->start, size, NULL, NULL);
	if (err)
		goto out;

	down_read(&range->lock);
	err = -EAGAIN;
	if (!mmu_interval_read_retry(&range->notifier, f->seq)) {
		set_bit(nr, range->blocks);
		flags = memalloc_noreclaim_save();
		err = apply_to_page_range(mm, f->start, size, mirror_set_pte, f);
		memalloc_noreclaim_restore(flags);
	}
	up_read(&range->lock);
out:
	up_read(&range->tables);
	return err;

out_taken:
	/*
	 * If somebody was faster and has shown the block as a whole, the access is
	 * tried again. Otherwise small entries are to take the place of that one: it
	 * is read-only, or it is long gone with a former mapping.
	 */
	up_read(&range->tables);
	if (f->write || !f->pmd || !pmd_leaf(READ_ONCE(*f->pmd)))
		hmmsvm_range_split(range, nr);
	return 0;
}

/* Sets the entries and counts them. Returns as mirror_set(). */
static int mirror_set_counted(struct mirror_fault *f)
{
	int err = mirror_set(f);

	hmmsvm_count_add(f->ctx, pages_mirrored, f->set);
	hmmsvm_count_add(f->ctx, pages_writable, f->writable);
	hmmsvm_count_add(f->ctx, pages_upgraded, f->upgraded);
	hmmsvm_count_add(f->ctx, pages_mirrored_device, f->device);
	hmmsvm_count_add(f->ctx, huge_mirrored, f->huge);
	return err;
}

/*
 * Phase one. Returns VM_FAULT_NOPAGE, an error, or 0 if the page has to be
 * brought in, or moved.
 */
static vm_fault_t mirror_insert(struct mirror_fault *f)
{
	struct mm_struct *mm = f->ctx->app_mm;
	vm_fault_t ret;
	int tries, err;

	f->range = hmmsvm_range_find(f->ctx, f->addr);
	if (!f->range)
		return 0;
	for (tries = 0; tries < MIRROR_TRIES; tries++) {
		if (!mmap_read_trylock(mm))
			return 0;
		ret = mirror_snapshot(f);
		mmap_read_unlock(mm);
		if (ret == VM_FAULT_RETRY)
			continue;
		if (ret != VM_FAULT_NOPAGE)
			return ret;
		if (mirror_decide(f))
			return 0;
		err = mirror_set_counted(f);
		if (!err)
			return VM_FAULT_NOPAGE;
		if (err != -EAGAIN)
			return VM_FAULT_OOM;
	}
	return 0;
}

/* Goes on with the snapshot that phase two left. Returns as mirror_insert(). */
static vm_fault_t mirror_insert_pending(struct mirror_fault *f, struct mirror_pending *p)
{
	struct mirror_fault *g = &p->fault;
	int err;

	if (p->error || !g->pfns || g->addr != f->addr || g->write != f->write ||
	    g->start < f->vma_start || g->end > f->vma_end)
		return 0;
	g->vma = f->vma;
	g->pmd = f->pmd;
	err = mirror_set_counted(g);
	if (err && err != -EAGAIN)
		return VM_FAULT_OOM;
	return err ? 0 : VM_FAULT_NOPAGE;
}

/*
 * Brings in what a sequential access will touch next, or all if the policy says so, as far
 * as it would be shown: anonymous memory only, where a fault has no one else to wait for.
 * Failure is of no consequence.
 */
static void mirror_bring_in_ahead(struct mirror_fault *f)
{
	struct hmmsvm_context *ctx = f->ctx;
	struct hmm_range hmm = {
		.notifier = &f->range->notifier,
		.hmm_pfns = f->pfns,
		.dev_private_owner = hmmsvm_devmem_owner(),
		.default_flags = HMM_PFN_REQ_FAULT | (f->write ? HMM_PFN_REQ_WRITE : 0),
	};
	struct vm_area_struct *vma = vma_lookup(ctx->app_mm, f->addr);
	unsigned long end = ALIGN_DOWN(f->addr, HMMSVM_BLOCK_SIZE);

	mmap_assert_locked(ctx->app_mm);
	if (!vma || !vma_is_anonymous(vma) || userfaultfd_armed(vma) || mirror_check(vma, f->write))
		return;

	end += mirror_has_range(f) ? (f->decision.first + f->decision.count) * PAGE_SIZE :
				     HMMSVM_BLOCK_SIZE;
	hmm.start = f->addr;
	hmm.end = hmmsvm_range_predict(f->range, f->addr, ctx->fault_around,
				       mirror_has_range(f) && f->decision.populate,
				       min(vma->vm_end, end));
	if (hmm.end - hmm.start <= PAGE_SIZE)
		return;
	memset(f->pfns, 0, ((hmm.end - hmm.start) >> PAGE_SHIFT) * sizeof(*f->pfns));
	hmm.notifier_seq = mmu_interval_read_begin(&f->range->notifier);
	if (!hmm_range_fault(&hmm))
		hmmsvm_count_add(ctx, pages_populated, ((hmm.end - hmm.start) >> PAGE_SHIFT) - 1);
}

/*
 * Whether the page that was just faulted in is one that can be shown: a mixed
 * mapping of a driver may have entries without a page.
 */
static bool mirror_has_page(struct hmmsvm_context *ctx, struct hmmsvm_range *range,
			    unsigned long addr)
{
	struct vm_area_struct *vma = vma_lookup(ctx->app_mm, addr);
	unsigned long pfn = 0;
	struct hmm_range hmm = {
		.notifier = &range->notifier,
		.start = addr,
		.end = addr + PAGE_SIZE,
		.hmm_pfns = &pfn,
	};

	if (!vma || !(vma->vm_flags & VM_MIXEDMAP))
		return true;
	hmm.notifier_seq = mmu_interval_read_begin(&range->notifier);
	return hmm_range_fault(&hmm) || !(pfn & HMM_PFN_ERROR);
}

/* The device wants these pages of the block whatever the policy said. */
static void mirror_wants(struct mirror_fault *f, unsigned long start, unsigned int pages)
{
	f->decision.action = HMMSVM_ACTION_TO_DEVICE;
	f->decision.first = (start - f->block->policy.start) >> PAGE_SHIFT;
	f->decision.count = pages;
	f->decision.victim = 0;
	memset(&f->decision.except, 0, sizeof(f->decision.except));
}

/* Has the policy's decision carried out, with the application's mmap_lock held. */
static void mirror_migrate(struct mirror_fault *f)
{
	struct vm_area_struct *vma = vma_lookup(f->ctx->app_mm, f->addr);
	struct hmmsvm_absent absent = { .notifier = &f->range->notifier };
	struct hmmsvm_moved moved = {};
	u64 begin;

	if (f->decision.action != HMMSVM_ACTION_TO_DEVICE || !vma ||
	    !hmmsvm_migrate_possible(vma))
		return;
	/* Somebody else may have moved it since. */
	if (mirror_snapshot(f) & (VM_FAULT_ERROR | VM_FAULT_RETRY) || f->dpage)
		return;
	absent.page = (f->addr - f->block->policy.start) >> PAGE_SHIFT;
	absent.seq = f->seq;
	begin = ktime_get_ns();
	hmmsvm_migrate_to_device(f->ctx, vma, f->block, f->decision.first, f->decision.count,
				 &f->decision, &absent, &moved);
	f->moving_ns += ktime_get_ns() - begin;
}

/* Whether @hmm_pfn is a device page that may only be read, though nobody shares it. */
static bool mirror_is_own_readonly(unsigned long hmm_pfn)
{
	struct folio *folio;
	struct page *page;

	if (!(hmm_pfn & HMM_PFN_VALID) || hmm_pfn & HMM_PFN_WRITE)
		return false;
	page = hmm_pfn_to_page(hmm_pfn);
	if (!hmmsvm_devmem_of(page))
		return false;
	/* Mapped as a whole, a huge page says so in its first page. */
	folio = page_folio(page);
	return folio_test_anon(folio) &&
	       (PageAnonExclusive(page) || PageAnonExclusive(folio_page(folio, 0)));
}

/*
 * After mprotect(), or a hint of NUMA balancing, entries of device pages are
 * read-only. Those of private pages stay so until the page has come back. One fault
 * for each page would be dear: brings all of those around the address back, has them
 * made writable as a write would, and lets them go to the device again. Coherent
 * pages become writable where they are. Returns false if that is not the case here.
 */
static bool mirror_make_writable(struct mirror_fault *f)
{
	struct vm_area_struct *vma = vma_lookup(f->ctx->app_mm, f->addr);
	unsigned long at = (f->addr - f->base) >> PAGE_SHIFT, first = at, last = at;
	unsigned long nr = (f->end - f->base) >> PAGE_SHIFT;
	bool comes_back = is_device_private_page(f->dpage);
	struct hmmsvm_moved moved = {};
	struct hmm_range hmm = {
		.notifier = &f->range->notifier,
		.hmm_pfns = f->pfns,
		.default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE,
	};

	if (!f->write || !f->migratable || !f->block || !mirror_is_own_readonly(f->pfns[at]))
		return false;
	while (first && mirror_is_own_readonly(f->pfns[first - 1]))
		first--;
	while (last + 1 < nr && mirror_is_own_readonly(f->pfns[last + 1]))
		last++;

	hmm.start = f->base + first * PAGE_SIZE;
	hmm.end = f->base + (last + 1) * PAGE_SIZE;
	if (comes_back)
		hmmsvm_migrate_to_system(f->ctx, vma, hmm.start, hmm.end, NULL, &moved);
	memset(f->pfns, 0, (last + 1 - first) * sizeof(*f->pfns));
	hmm.notifier_seq = mmu_interval_read_begin(&f->range->notifier);
	if (hmm_range_fault(&hmm))
		return false;
	if (!comes_back)
		return true;
	mirror_wants(f, hmm.start, last + 1 - first);
	return true;
}

/*
 * What phase two does with the application's mmap_lock held: moves the page, or
 * faults it in as the application's own access would, or both, and takes a
 * snapshot. Returns VM_FAULT_NOPAGE, an error, or 0: the fault is to start over.
 */
static vm_fault_t mirror_bring_in_locked(struct mirror_fault *f)
{
	struct hmmsvm_context *ctx = f->ctx;
	struct mm_struct *mm = ctx->app_mm;
	unsigned int flags = FAULT_FLAG_REMOTE;
	bool unlocked = false;
	vm_fault_t ret;
	int err;

	/* Somebody may have done all of it while we waited. */
	ret = mirror_snapshot(f);
	if (ret & VM_FAULT_ERROR)
		return ret;
	mirror_decide(f);
	if (f->decision.action == HMMSVM_ACTION_TO_DEVICE &&
	    (ret == VM_FAULT_NOPAGE || !f->present)) {
		/* What nobody has touched, or what is there and may be used as it is. */
		mirror_migrate(f);
		ret = mirror_snapshot(f);
	}
	if (ret)
		return ret & VM_FAULT_RETRY ? 0 : ret;
	if (f->dpage && mirror_make_writable(f)) {
		mirror_migrate(f);
		ret = mirror_snapshot(f);
		return ret == VM_FAULT_NOPAGE ? ret : 0;
	}

	hmmsvm_count(ctx, app_faults);
	if (f->write)
		flags |= FAULT_FLAG_WRITE;
	/* A write takes a page that comes from swap out of the swap cache. */
	if (!HMMSVM_SWAP_CACHE_MIGRATES && f->decision.action == HMMSVM_ACTION_TO_DEVICE &&
	    vma_lookup(mm, f->addr)->vm_flags & VM_WRITE)
		flags |= FAULT_FLAG_WRITE;
	err = fixup_user_fault(mm, f->addr, flags, &unlocked);
	/* A private page only comes back with the first one, and is copied with the second. */
	if (!err && f->dpage && is_device_private_page(f->dpage))
		err = fixup_user_fault(mm, f->addr, flags, &unlocked);
	if (!err && !mirror_has_page(ctx, f->range, f->addr))
		err = -EFAULT;
	if (err == -EINTR)
		return 0;
	if (err) {
		ret = mirror_check(vma_lookup(mm, f->addr), f->write);
		return ret ? ret : VM_FAULT_SIGBUS;
	}
	if (f->dpage && f->block) {
		/*
		 * A device page that could only be read: it had to come back to
		 * become writable (a private one), or to be copied after fork(). The
		 * device wants it.
		 */
		mirror_wants(f, f->addr, 1);
	}
	if (f->decision.action == HMMSVM_ACTION_TO_DEVICE)
		mirror_migrate(f);
	else if (!f->confined || mirror_has_range(f))
		mirror_bring_in_ahead(f);
	ret = mirror_snapshot(f);
	return ret == VM_FAULT_NOPAGE ? ret : 0;
}

/*
 * Phase two, with no lock of the engine held. Waiting ends with a fatal signal.
 * Leaves for the thread how the fault fails or what it goes on with, as the core
 * expects nothing but a retry now.
 */
static void mirror_bring_in(struct mirror_fault *f)
{
	struct hmmsvm_context *ctx = f->ctx;
	struct mm_struct *mm = ctx->app_mm;
	vm_fault_t ret;

	f->vma = NULL;
	if (mmap_read_lock_killable(mm))
		return;
	/* First, so that a wild address leaves nothing behind. */
	ret = mirror_check(vma_lookup(mm, f->addr), f->write);
	if (!ret) {
		f->range = hmmsvm_range_find(ctx, f->addr);
		if (!f->range) {
			mmap_read_unlock(mm);
			f->range = hmmsvm_range_get(ctx, f->addr);
			if (IS_ERR(f->range)) {
				if (PTR_ERR(f->range) != -EINTR)
					mirror_pending_put(f, VM_FAULT_SIGBUS);
				return;
			}
			if (mmap_read_lock_killable(mm))
				return;
		}
		ret = mirror_bring_in_locked(f);
	}
	mmap_read_unlock(mm);
	if (f->moving_ns)
		f->spent_ns = ktime_get_ns() - f->begin - f->moving_ns;
	if (ret)
		mirror_pending_put(f, ret & VM_FAULT_ERROR);
}

/* A device fault, from beginning to end; see the top of the file. */
static vm_fault_t mirror_fault(struct vm_fault *vmf, bool write, pmd_t *pmd)
{
	struct vm_area_struct *vma = vmf->vma;
	struct hmmsvm_context *ctx = vma->vm_private_data;
	struct mirror_fault f = {
		.ctx = ctx,
		.vma = vma,
		.vma_start = vma->vm_start,
		.vma_end = vma->vm_end,
		.pmd = pmd,
		.addr = vmf->address & PAGE_MASK,
		.write = write,
		.prot = vm_get_page_prot(VM_READ | VM_EXEC | VM_SHARED),
		.begin = ktime_get_ns(),
	};
	struct mirror_pending *pending = NULL;
	u64 begin = f.begin, took;
	const struct mirror_fault *done = &f;
	struct file *file = NULL;
	vm_fault_t ret;

	/* A copy of the mapping in another process is not the engine's. */
	if (vma->vm_mm != READ_ONCE(ctx->engine_mm) || !mmget_not_zero(ctx->app_mm)) {
		ret = VM_FAULT_SIGBUS;
		goto failed;
	}

	hmmsvm_block_stall(ctx);
	pending = mirror_pending_take(ctx);
	if (pending) {
		/* The policy was asked before. */
		f.decided = pending->fault.addr == f.addr;
		if (f.decided && pending->fault.decision.action == HMMSVM_ACTION_NONE)
			f.decision = pending->fault.decision;
		ret = mirror_insert_pending(&f, pending);
		if (ret)
			done = &pending->fault;
	} else {
		ret = 0;
	}
	if (ret)
		goto out;
	ret = VM_FAULT_OOM;
	/* It may wait long with the fault, or be left for the thread. */
	f.pfns = kmalloc_array(HMMSVM_BLOCK_PAGES, sizeof(*f.pfns), GFP_KERNEL_ACCOUNT);
	if (!f.pfns)
		goto out;
	ret = mirror_insert(&f);
	if (ret)
		goto out;

	/* A failure counts only now, as the page may have come meanwhile. */
	if (pending && pending->fault.addr == f.addr)
		ret = pending->error;
	if (!ret && !(vmf->flags & FAULT_FLAG_ALLOW_RETRY))
		ret = VM_FAULT_SIGBUS;
	if (ret)
		goto out;
	hmmsvm_count(ctx, retries);
	ret = VM_FAULT_RETRY;
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		goto out;

	/* Without the lock only the file keeps the context. */
	file = get_file(vma->vm_file);
	release_fault_lock(vmf);
	mirror_bring_in(&f);
out:
	took = ktime_get_ns() - begin;
	if (ret & VM_FAULT_NOPAGE) {
		hmmsvm_count(ctx, device_faults);
		if (write)
			hmmsvm_count(ctx, device_write_faults);
		/* Without the time that pages moved, and what waited for the application. */
		if (done == &f && f.block)
			hmmsvm_block_faulted(ctx, took);
		else if (done != &f && done->spent_ns)
			hmmsvm_block_faulted(ctx, took + done->spent_ns);
		hmmsvm_event(ctx, HMMSVM_EVENT_DEVICE_FAULT,
			     (write ? HMMSVM_EVENT_WRITE : 0) |
			     (done->dpage ? 0 : HMMSVM_EVENT_REMOTE) |
			     (done->huge ? HMMSVM_EVENT_HUGE : 0) |
			     (done->sampled ? HMMSVM_EVENT_SAMPLED : 0), f.addr,
			     done->set + done->upgraded, begin);
	}
	mirror_pending_free(pending);
	kfree(f.pfns);
	hmmsvm_block_go_on(ctx);
	mmput_async(ctx->app_mm);
failed:
	if (ret & VM_FAULT_ERROR) {
		hmmsvm_count(ctx, failed_faults);
		hmmsvm_event(ctx, HMMSVM_EVENT_FAILED, write ? HMMSVM_EVENT_WRITE : 0, f.addr, 0,
			     begin);
	}
	hmmsvm_count_add(ctx, fault_ns, ktime_get_ns() - begin);
	if (file)
		fput(file);
	return ret;
}

static vm_fault_t mirror_vm_fault(struct vm_fault *vmf)
{
	return mirror_fault(vmf, vmf->flags & FAULT_FLAG_WRITE, NULL);
}

/*
 * Where there is no entry for a block at all, the core comes here first; and for
 * a write to a read-only entry of a whole block. Small entries are set here, too.
 */
static vm_fault_t mirror_vm_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	if (order != HMMSVM_BLOCK_SHIFT - PAGE_SHIFT)
		return VM_FAULT_FALLBACK;
	return mirror_fault(vmf, vmf->flags & FAULT_FLAG_WRITE, vmf->pmd);
}

/*
 * A write to an entry that is read-only. Never 0: the core would then make the
 * entry writable itself, without knowing whether the page is still the one.
 */
static vm_fault_t mirror_vm_pfn_mkwrite(struct vm_fault *vmf)
{
	vm_fault_t ret = mirror_fault(vmf, true, NULL);

	/* With RETRY alone the core would go on with a mapping it has unlocked. */
	return ret & VM_FAULT_RETRY ? ret | VM_FAULT_NOPAGE : ret;
}

/*
 * Maps nothing ahead, mirror_fault() does. That it exists lets the core call
 * mirror_fault() under the per-VMA lock: faults of workers then do not meet.
 */
static vm_fault_t mirror_vm_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	return 0;
}

static int mirror_vm_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static int mirror_vm_mprotect(struct vm_area_struct *vma, unsigned long start,
			      unsigned long end, unsigned long newflags)
{
	return -EACCES;
}

static const struct vm_operations_struct mirror_vm_ops = {
	.fault = mirror_vm_fault,
	.huge_fault = mirror_vm_huge_fault,
	.pfn_mkwrite = mirror_vm_pfn_mkwrite,
	.map_pages = mirror_vm_map_pages,
	.mremap = mirror_vm_mremap,
	.mprotect = mirror_vm_mprotect,
};

/* ---- without a fault ------------------------------------------------------------- */

/* The middle entry for @addr where there are page tables down to it, otherwise NULL. */
static pmd_t *mirror_pmd(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	if (!has_transparent_hugepage() || pgd_none(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	return pud_none(*pud) || pud_leaf(*pud) ? NULL : pmd_offset(pud, addr);
}

/*
 * hmmsvm_mirror_show() for the application's mapping of @addr, with the mmap_lock of the engine,
 * @mm, held. @pfns has room for a block. Returns where another mapping may be; adds to @set the
 * entries that were set.
 */
static unsigned long mirror_show_mapping(struct hmmsvm_context *ctx, struct mm_struct *mm,
					 struct hmmsvm_range *range, unsigned long addr,
					 const struct hmmsvm_policy_decision *decision,
					 unsigned long *pfns, unsigned int *set)
{
	struct mirror_fault f = {
		.ctx = ctx,
		.vma = vma_lookup(mm, addr),
		.addr = addr,
		.range = range,
		.prot = vm_get_page_prot(VM_READ | VM_EXEC | VM_SHARED),
		.pfns = pfns,
		.decided = true,
		.unasked = true,
		.decision = *decision,
	};
	unsigned long next = ULONG_MAX;
	struct vm_area_struct *vma;
	vm_fault_t ret;
	int tries;

	if (!f.vma || f.vma->vm_ops != &mirror_vm_ops || f.vma->vm_private_data != ctx)
		return next;
	f.vma_start = f.vma->vm_start;
	f.vma_end = f.vma->vm_end;
	f.pmd = mirror_pmd(mm, addr);
	for (tries = 0; tries < MIRROR_TRIES; tries++) {
		if (!mmap_read_trylock(ctx->app_mm))
			break;
		vma = find_vma(ctx->app_mm, addr);
		if (vma)
			next = vma->vm_start > addr ? vma->vm_start : vma->vm_end;
		ret = mirror_snapshot(&f);
		mmap_read_unlock(ctx->app_mm);
		if (ret == VM_FAULT_RETRY)
			continue;
		/* Nothing to show if the first page of what was to come over is not there. */
		if (ret & VM_FAULT_ERROR || !f.migratable || (!mirror_has_range(&f) && !f.dpage))
			break;
		if (mirror_set_counted(&f) != -EAGAIN)
			break;
	}
	*set += f.set;
	return next;
}

/*
 * Shows the device, without a fault, what is in device memory around [@start, @end), within a block;
 * of system memory the range that @decision says, if it is one to show. What has an entry keeps
 * it; one that is read-only may become writable. Returns whether there are new ones. The caller
 * holds the application's mm by mmget(), and no lock. Waits for nobody's mmap_lock: the engine's
 * may be held as long as an access of its takes, to memory that is none of ours, and who ends
 * the context waits for the tick.
 */
bool hmmsvm_mirror_show(struct hmmsvm_context *ctx, unsigned long start, unsigned long end,
			const struct hmmsvm_policy_decision *decision)
{
	struct hmmsvm_range *range = hmmsvm_range_find(ctx, start);
	struct mm_struct *mm = hmmsvm_context_get_engine(ctx);
	unsigned int set = 0;
	unsigned long *pfns;

	if (!mm)
		return false;
	pfns = kmalloc_array(HMMSVM_BLOCK_PAGES, sizeof(*pfns), GFP_KERNEL);
	if (range && pfns && mmap_read_trylock(mm)) {
		while (start < end)
			start = mirror_show_mapping(ctx, mm, range, start, decision, pfns, &set);
		mmap_read_unlock(mm);
	}
	kfree(pfns);
	mmput_async(mm);
	return set;
}

/* Maps the mirror into the engine. See struct hmmsvm_attach. */
int hmmsvm_mirror_mmap(struct hmmsvm_context *ctx, struct vm_area_struct *vma)
{
	if (!hmmsvm_context_bound(ctx) || !hmmsvm_context_is_engine(ctx))
		return -EPERM;
	if (mm_has_notifiers(vma->vm_mm))
		return -EBUSY;
	if (!(vma->vm_flags & VM_SHARED) || !(vma->vm_flags & VM_READ) ||
	    !(vma->vm_flags & VM_WRITE) || vma->vm_pgoff != vma->vm_start >> PAGE_SHIFT ||
	    vma->vm_start < ctx->va_start || vma->vm_end > ctx->va_end ||
	    (vma->vm_start < ctx->window_end && vma->vm_end > ctx->window_start))
		return -EINVAL;

	/*
	 * The node may lie on a file system mounted noexec: kernels are run all
	 * the same. VM_IO keeps MADV_DOFORK from undoing VM_DONTCOPY. VM_HUGEPAGE has
	 * the core ask for whole blocks also where the system wants to be asked for them.
	 */
	vm_flags_set(vma, VM_IO | VM_HUGEPAGE | VM_PFNMAP | VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP |
			  VM_NORESERVE | VM_EXEC | VM_MAYEXEC);
	vma->vm_ops = &mirror_vm_ops;
	vma->vm_private_data = ctx;
	return 0;
}
