/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels the module builds on. The only file with
 * version checks.
 */
#ifndef HMMSVM_COMPAT_H
#define HMMSVM_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "hmmsvm needs Linux 6.12 or newer"
#endif

#include <linux/memremap.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

/* Without a bond to the CPU that queues. system_unbound_wq is deprecated since 6.17. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define hmmsvm_workqueue	system_dfl_wq
#else
#define hmmsvm_workqueue	system_unbound_wq
#endif

/*
 * A page that is in the swap cache, too, may be migrated to a device. Before, the core
 * takes it out of the swap cache and then writes the new one into it (seen in 6.12).
 */
#define HMMSVM_SWAP_CACHE_MIGRATES	(LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0))

/* What is in struct folio's mapping; renamed in 6.17. */
#ifdef FOLIO_MAPPING_ANON
#define HMMSVM_MAPPING_ANON	FOLIO_MAPPING_ANON
#define HMMSVM_MAPPING_FLAGS	FOLIO_MAPPING_FLAGS
#else
#define HMMSVM_MAPPING_ANON	PAGE_MAPPING_ANON
#define HMMSVM_MAPPING_FLAGS	PAGE_MAPPING_FLAGS
#endif

/* Typed allocation, since 7.0. */
#ifndef kmalloc_obj
#define kmalloc_obj(obj, gfp)	kmalloc(sizeof(obj), gfp)
#define kzalloc_obj(obj, gfp)	kzalloc(sizeof(obj), gfp)
#endif

/* Device pages may be huge, and what frees them gets a folio, since 7.0. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)

#define HMMSVM_HUGE_DEVICE_PAGES		thp_migration_supported()
#define HMMSVM_MIGRATE_PFN_COMPOUND		MIGRATE_PFN_COMPOUND
#define HMMSVM_MIGRATE_VMA_SELECT_COMPOUND	MIGRATE_VMA_SELECT_COMPOUND

#define HMMSVM_PAGEMAP_FREE(fn)			.folio_free = fn

static inline struct dev_pagemap *hmmsvm_page_pgmap(struct page *page)
{
	return page_pgmap(page);
}

static inline void hmmsvm_zone_device_page_init(struct page *page, struct dev_pagemap *pgmap,
						unsigned int order)
{
	/* Not by way of page_folio(): it may be a page of a former huge one. */
	zone_device_page_init(page, pgmap, order);
	if (order)
		folio_set_large_rmappable(page_folio(page));
}

/*
 * A huge device page is free: its pages are small ones again. The core leaves
 * them as they were, and would take any of them for a part of a huge one.
 */
static inline void hmmsvm_zone_device_page_break(struct page *page, struct dev_pagemap *pgmap,
						 unsigned long nr)
{
	for (; nr--; page++) {
		page->flags.f &= ~0xffUL;	/* as zone_device_page_init() does: order, head */
		((struct folio *)page)->pgmap = pgmap;	/* not a tail any more */
	}
}

/* A CPU fault on a huge device page that is mapped as such. */
static inline bool hmmsvm_fault_is_huge(const struct vm_fault *vmf)
{
	return !vmf->pte && folio_test_large(page_folio(vmf->page));
}

#else

#define HMMSVM_HUGE_DEVICE_PAGES		0
#define HMMSVM_MIGRATE_PFN_COMPOUND		0UL
#define HMMSVM_MIGRATE_VMA_SELECT_COMPOUND	0

/* For a function fn(struct folio *): makes fn_page(). */
#define HMMSVM_PAGEMAP_FREE(fn)			.page_free = fn##_page
#define HMMSVM_PAGEMAP_FREE_PAGE(fn)					\
	static void fn##_page(struct page *page)			\
	{								\
		fn(page_folio(page));					\
	}								\
	static_assert(true)

static inline struct dev_pagemap *hmmsvm_page_pgmap(struct page *page)
{
	return page->pgmap;
}

static inline void hmmsvm_zone_device_page_init(struct page *page, struct dev_pagemap *pgmap,
						unsigned int order)
{
	zone_device_page_init(page);
}

static inline void hmmsvm_zone_device_page_break(struct page *page, struct dev_pagemap *pgmap,
						 unsigned long nr)
{
}

static inline bool hmmsvm_fault_is_huge(const struct vm_fault *vmf)
{
	return false;
}

#endif

#ifndef HMMSVM_PAGEMAP_FREE_PAGE
#define HMMSVM_PAGEMAP_FREE_PAGE(fn)		static_assert(true)
#endif

#endif /* HMMSVM_COMPAT_H */
