kernel void look_up(global const uint *table, uint count, uint pass, global uint *sums)
{
    uint item = (uint)get_global_id(0), sum = 0;

    for (uint k = 0; k < READMOSTLY_READS; k++)
        sum += table[READMOSTLY_PLACE(item, k, pass, count)];
    sums[item] += sum;
}
