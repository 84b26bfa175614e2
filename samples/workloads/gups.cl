kernel void update(global atomic_uint *table, uint count, uint pass)
{
    uint value = GUPS_VALUE((uint)get_global_id(0), pass);

    atomic_fetch_xor_explicit(&table[GUPS_PLACE(value, count)], value, memory_order_relaxed,
                              memory_scope_device);
}
