// SPDX-License-Identifier: GPL-2.0
/*
 * Holds the reverse maps (struct anon_vma) of device pages that are moved by
 * number.
 *
 * On its way such a page is mapped nowhere: in its place stand migration entries,
 * which are found again through the reverse map that the page names. By address
 * the mapping, which the mmap_lock keeps, keeps that map. By number nothing
 * does: if the last process that had the page exits just then, the map is
 * freed, and the core (6.12 to 7.3, migrate_device_range() and after it
 * remove_migration_ptes()) walks freed memory. The core's own migration holds the
 * map for this reason, mm/migrate.c, migrate_folio_unmap(); so do we.
 *
 * The core exports neither of its two functions for that, so what they do is done here:
 * folio_get_anon_vma() and __put_anon_vma() of mm/rmap.c. An anon_vma comes from a slab
 * cache of the core's, of a kind (SLAB_TYPESAFE_BY_RCU) whose memory stays an anon_vma
 * while anybody reads under RCU; kfree() frees an object of any slab cache
 * (Documentation/core-api/memory-allocation.rst).
 *
 * Locking: none to hold; letting go may wait for the map's lock, and so must be done
 * without any of the core's. A caller sees to it that no page is allocated anew
 * between holding and moving (hmmsvm_chunk.evicting), as it could have another map
 * then.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/rmap.h>
#include <linux/slab.h>

#include "anon.h"
#include "compat.h"

static struct anon_vma *anon_of(struct folio *folio)
{
	unsigned long mapping = (unsigned long)READ_ONCE(folio->mapping);

	if ((mapping & HMMSVM_MAPPING_FLAGS) != HMMSVM_MAPPING_ANON)
		return NULL;
	return (struct anon_vma *)(mapping - HMMSVM_MAPPING_ANON);
}

/* As anon_vma_free() of the core: who still has its lock is waited for. */
static void anon_free(struct anon_vma *anon)
{
	might_sleep();
	if (rwsem_is_locked(&anon->root->rwsem)) {
		down_write(&anon->root->rwsem);
		up_write(&anon->root->rwsem);
	}
	kfree(anon);
}

static void anon_put(struct anon_vma *anon)
{
	struct anon_vma *root = anon->root;

	if (!atomic_dec_and_test(&anon->refcount))
		return;
	anon_free(anon);
	if (root != anon && atomic_dec_and_test(&root->refcount))
		anon_free(root);
}

/*
 * Sees to it that @page, a device page that nobody may allocate meanwhile, can be moved
 * by number: it is free, or its reverse map is held until hmmsvm_anon_release().
 * Returns false if it cannot, as somebody else is at work on it.
 */
bool hmmsvm_anon_hold(struct hmmsvm_anon_hold *hold, struct page *page)
{
	struct folio *folio = page_folio(page);
	struct anon_vma *anon;

	if (!folio_ref_count(folio))
		return page_folio(page) == folio;

	rcu_read_lock();
	anon = anon_of(folio);
	if (!anon || !folio_mapped(folio)) {
		rcu_read_unlock();
		return false;
	}
	/* One at a time for a huge page, and mostly for small ones. */
	if (hold->nr && hold->held[hold->nr - 1] == anon) {
		rcu_read_unlock();
		return page_folio(page) == folio;
	}
	if (WARN_ON_ONCE(hold->nr == ARRAY_SIZE(hold->held)) ||
	    !atomic_inc_not_zero(&anon->refcount)) {
		rcu_read_unlock();
		return false;
	}
	hold->held[hold->nr++] = anon;
	/*
	 * Mapped after that, the page kept its map until we had it. If not, this may be
	 * another's, which is let go of with the rest.
	 */
	if (!folio_mapped(folio) || page_folio(page) != folio || anon_of(folio) != anon) {
		rcu_read_unlock();
		return false;
	}
	rcu_read_unlock();
	return true;
}

/* Whether the map of @page is held, of a page that is isolated. */
bool hmmsvm_anon_is_held(const struct hmmsvm_anon_hold *hold, struct page *page)
{
	struct anon_vma *anon = anon_of(page_folio(page));
	unsigned int i;

	for (i = 0; i < hold->nr; i++)
		if (hold->held[i] == anon)
			return true;
	return false;
}

/* Lets go of all of them. May sleep. */
void hmmsvm_anon_release(struct hmmsvm_anon_hold *hold)
{
	while (hold->nr)
		anon_put(hold->held[--hold->nr]);
}
