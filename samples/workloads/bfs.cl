kernel void clear(global uint *distances, uint root)
{
    uint i = (uint)get_global_id(0);

    distances[i] = i == root ? 0 : 0xffffffffu;
}

/* Each work-item reaches the neighbours of one vertex of this level. */
kernel void spread(global const uint *starts, global const uint *targets,
                   global atomic_uint *distances, global const uint *level, uint count,
                   global uint *next, global atomic_uint *next_count, uint distance)
{
    uint from;

    if (get_global_id(0) >= count)
        return;
    from = level[get_global_id(0)];
    for (uint e = starts[from]; e < starts[from + 1]; e++) {
        uint to = targets[e], far = 0xffffffffu;

        if (atomic_compare_exchange_strong_explicit(&distances[to], &far, distance,
                                                    memory_order_relaxed, memory_order_relaxed,
                                                    memory_scope_device))
            next[atomic_fetch_add_explicit(next_count, 1, memory_order_relaxed,
                                           memory_scope_device)] = to;
    }
}
