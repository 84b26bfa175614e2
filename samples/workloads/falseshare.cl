/* The upper half of each page. */
kernel void update(global uint *words)
{
    size_t i = get_global_id(0);

    words[i / 512 * 1024 + 512 + i % 512]++;
}
