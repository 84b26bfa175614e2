static void add(local atomic_uint *sum, uint value)
{
    atomic_fetch_add_explicit(sum, value, memory_order_relaxed, memory_scope_work_group);
}

/* The group adds up its own points first: there are few sums for so many. */
kernel void assign(global const uint4 *points, global uint *labels,
                   global struct kmeans_centres *centres)
{
    local atomic_uint sums[KMEANS_CENTRES * (KMEANS_DIMENSIONS + 1)];
    uint item = get_local_id(0), best = 0xffffffffu, label = 0;
    uint4 point = points[get_global_id(0)];

    if (item < KMEANS_CENTRES * (KMEANS_DIMENSIONS + 1))
        atomic_init(&sums[item], 0);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint k = 0; k < KMEANS_CENTRES; k++) {
        uint4 apart = point - vload4(k, &centres->at[0][0]);
        uint distance;

        apart *= apart;
        distance = apart.x + apart.y + apart.z + apart.w;
        if (distance < best) {
            best = distance;
            label = k;
        }
    }
    labels[get_global_id(0)] = label;
    add(&sums[label * 5], point.x);
    add(&sums[label * 5 + 1], point.y);
    add(&sums[label * 5 + 2], point.z);
    add(&sums[label * 5 + 3], point.w);
    add(&sums[label * 5 + 4], 1);
    barrier(CLK_LOCAL_MEM_FENCE);
    if (item < KMEANS_CENTRES * (KMEANS_DIMENSIONS + 1)) {
        uint k = item / 5, d = item % 5;
        volatile global uint *to = d < KMEANS_DIMENSIONS ? &centres->sums[k][d]
                                                         : &centres->counts[k];

        atomic_fetch_add_explicit((volatile global atomic_uint *)to,
                                  atomic_load_explicit(&sums[item], memory_order_relaxed,
                                                       memory_scope_work_group),
                                  memory_order_relaxed, memory_scope_device);
    }
}
