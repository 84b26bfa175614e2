/*
 * One step of the search: every package that went in the last step is taken out of the dependencies
 * it fulfils; a dependency that has nothing left breaks its owner, which goes in this step.
 *
 * Global size: (packages that went, lanes); the lanes share out the dependencies of one package,
 * since a few packages have tens of thousands. The counters find out who came last, so the answer
 * does not depend on the order; the end of the kernel orders one step before the next.
 */
kernel void spread(global struct package *global *gone, global struct package *global *next,
                   global atomic_uint *next_count, uint distance)
{
    global struct package *package = gone[get_global_id(0)];

    for (size_t i = get_global_id(1); i < package->fulfils_count; i += get_global_size(1)) {
        global struct clause *clause = package->fulfils[i];
        global struct package *owner;
        uint stays = STAYS;

        if (atomic_fetch_sub_explicit(&clause->left, 1, memory_order_relaxed,
                                      memory_scope_device) != 1)
            continue;
        owner = clause->owner;
        if (atomic_compare_exchange_strong_explicit(&owner->distance, &stays, distance,
                                                    memory_order_relaxed, memory_order_relaxed,
                                                    memory_scope_device))
            next[atomic_fetch_add_explicit(next_count, 1, memory_order_relaxed,
                                           memory_scope_device)] = owner;
    }
}
