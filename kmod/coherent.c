// SPDX-License-Identifier: GPL-2.0
/*
 * Reserved ranges of memory, which become coherent device memory (devmem.c): memory
 * that the CPU reaches in place, as it does a CXL device's.
 *
 * A range is named with the module, and must have been kept from the kernel when
 * that was booted (memmap=): it is not RAM that the kernel knows as such, and not
 * somebody else's. A place without memory behind it would lose what is put there, so
 * only what the memory map calls reserved will do. That it is memory is for who
 * reserved it to know: firmware has reserved ranges, too.
 *
 * Locking: none; runs when the module is loaded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/numa.h>

#include "coherent.h"
#include "hmmsvm.h"

#define COHERENT_MAX 8

static char *devmem_range[COHERENT_MAX];
static unsigned int devmem_range_count;
module_param_array(devmem_range, charp, &devmem_range_count, 0444);
MODULE_PARM_DESC(devmem_range, "SIZE@START of each device memory that the CPU reaches: memory reserved with memmap=SIZE$START (default: none)");

unsigned int hmmsvm_coherent_count(void)
{
	return devmem_range_count;
}

/* SIZE@START; what memmap= takes, SIZE$START, is as good. */
static int coherent_parse(const char *text, struct range *range)
{
	unsigned long long size, start;
	char *end;

	size = memparse(text, &end);
	if (end == text || (*end != '@' && *end != '$'))
		return -EINVAL;
	text = end + 1;
	start = memparse(text, &end);
	if (end == text || *end)
		return -EINVAL;
	if (!size || !IS_ALIGNED(size, HMMSVM_BLOCK_SIZE) || !IS_ALIGNED(start, HMMSVM_BLOCK_SIZE) ||
	    start + size - 1 < start)
		return -EINVAL;
	range->start = start;
	range->end = start + size - 1;
	return 0;
}

/* Whether all of it is memory that the memory map keeps from the kernel. */
static bool coherent_is_reserved(const struct range *range)
{
	size_t size = range_len(range);

	return region_intersects(range->start, size, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) ==
		       REGION_DISJOINT &&
	       (region_intersects(range->start, size, IORESOURCE_MEM, IORES_DESC_RESERVED) ==
			REGION_INTERSECTS ||
		region_intersects(range->start, size, IORESOURCE_MEM, IORES_DESC_SOFT_RESERVED) ==
			REGION_INTERSECTS);
}

/*
 * Makes the range of parameter @index ours until release_mem_region(). Returns 0 and
 * where it is, or an error that has been explained.
 */
int hmmsvm_coherent_claim(unsigned int index, struct range *range, int *node)
{
	const char *text = devmem_range[index];

	if (!IS_ENABLED(CONFIG_ZONE_DEVICE)) {
		pr_err("devmem_range=%s: this kernel has no CONFIG_ZONE_DEVICE\n", text);
		return -EOPNOTSUPP;
	}
	if (coherent_parse(text, range)) {
		pr_err("devmem_range=%s: SIZE@START is wanted, multiples of 2 MiB both (64M@0x100000000)\n",
		       text);
		return -EINVAL;
	}
	if (!coherent_is_reserved(range)) {
		pr_err("devmem_range=%s: not reserved; boot with memmap=%lluM$%#llx (a boot loader may want the $ escaped)\n",
		       text, range_len(range) >> 20, range->start);
		return -EINVAL;
	}
	if (!request_mem_region(range->start, range_len(range), KBUILD_MODNAME)) {
		pr_err("devmem_range=%s: in use by somebody else, see /proc/iomem\n", text);
		return -EBUSY;
	}
	*node = phys_to_target_node(range->start);
	if (*node != NUMA_NO_NODE && !node_online(*node))
		*node = NUMA_NO_NODE;
	return 0;
}
