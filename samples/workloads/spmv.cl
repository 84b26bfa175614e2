kernel void multiply(global const uint *starts, global const uint *targets,
                     global const uint *values, global const uint *x, global uint *y)
{
    size_t i = get_global_id(0);
    uint sum = 0;

    for (uint e = starts[i]; e < starts[i + 1]; e++)
        sum += values[e] * x[targets[e]];
    y[i] = sum;
}
