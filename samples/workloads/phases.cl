kernel void update(global uint *words)
{
    size_t i = get_global_id(0);

    words[i] = PHASES_UPDATED(words[i]);
}

kernel void add_up(global const uint *words, global uint *sums)
{
    size_t i = get_global_id(0);
    uint sum = 0;

    for (uint k = 0; k < PHASES_READS; k++)
        sum += words[i * PHASES_READS + k];
    sums[i] += sum;
}
