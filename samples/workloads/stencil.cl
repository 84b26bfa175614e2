/* A row above and one below lie around the rows that are computed. */
kernel void stencil(global const uint *from, global uint *to)
{
    const uint width = 1024;
    size_t i = get_global_id(0) + width;
    uint column = i % width;

    to[i] = from[i] + from[i - width] + from[i + width] + (column ? from[i - 1] : 0) +
            (column + 1 < width ? from[i + 1] : 0);
}
