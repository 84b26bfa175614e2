kernel void consume(global uint *words)
{
    size_t i = get_global_id(0);

    words[i] = PINGPONG_CONSUMED(words[i]);
}
