/* Where to look for a key first; then in the slots that follow. */
static uint slot_of(uint key, uint slots)
{
    uint hash = (key ^ (key >> 15)) * 0x85ebca6bu;

    return (uint)(((ulong)(hash ^ (hash >> 13)) * slots) >> 32);
}

kernel void clear(global struct hashjoin_row *slots)
{
    slots[get_global_id(0)].key = 0;
}

kernel void build(global const struct hashjoin_row *rows, global struct hashjoin_row *slots,
                  uint count)
{
    struct hashjoin_row row = rows[get_global_id(0)];

    for (uint at = slot_of(row.key, count);; at = at + 1 < count ? at + 1 : 0) {
        uint none = 0;

        if (atomic_compare_exchange_strong_explicit((volatile global atomic_uint *)&slots[at].key,
                                                    &none, row.key, memory_order_relaxed,
                                                    memory_order_relaxed, memory_scope_device)) {
            slots[at].value = row.value;
            return;
        }
    }
}

kernel void probe(global const uint *keys, global const struct hashjoin_row *slots, uint count,
                  global uint *found)
{
    uint key = keys[get_global_id(0)], value = 0;

    for (uint at = slot_of(key, count); slots[at].key; at = at + 1 < count ? at + 1 : 0) {
        if (slots[at].key == key) {
            value = slots[at].value;
            break;
        }
    }
    found[get_global_id(0)] = value;
}
