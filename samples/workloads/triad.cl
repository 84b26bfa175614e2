kernel void triad(global float *a, global const float *b, global const float *c, uint k)
{
    size_t i = get_global_id(0);

    a[i] = b[i] + (float)k * c[i];
}
