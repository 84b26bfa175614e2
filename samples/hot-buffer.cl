/* Adds up all words: each work-item those of its own part, 8 * count of them, into its place. */
kernel void add_up(global const uint *words, uint count, global uint *sums)
{
    global const uint *part = words + get_global_id(0) * (size_t)count * 8;
    uint8 sum = 0;
    uint4 four;

    for (uint i = 0; i < count; i++)
        sum += vload8(i, part);
    four = sum.lo + sum.hi;
    sums[get_global_id(0)] = four.x + four.y + four.z + four.w;
}

/* Updates words in place, from number first on: one each work-item. */
kernel void update(global uint *words, uint first)
{
    uint i = first + (uint)get_global_id(0);

    words[i] = UPDATED(words[i], i);
}
