// SPDX-License-Identifier: GPL-2.0
/*
 * remote - nothing migrates: the device uses every page where it is
 *
 * Models a device without memory of its own, or one that never migrates (UVM's
 * and amdkfd's "accessed by", zero copy). Never pays for a copy or a second
 * fault, and pays for every single access; the base line that migration has to
 * beat, and the best there is for data used once or by both sides in turns.
 *
 * What was brought over on request (clEnqueueSVMMigrateMem) stays until the CPU
 * touches it: its region comes back.
 *
 * No tunables.
 */
#include "policy-lib.h"

const struct hmmsvm_placement hmmsvm_placement_remote = {
	.name = "remote",
	.help = "never migrate: the device uses every page where it is",
	.tick_tunable = -1,
};
