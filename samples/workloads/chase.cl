kernel void chase(global struct chase_node *global *starts, uint steps, global ulong *sums)
{
    global struct chase_node *node = starts[get_global_id(0)];
    ulong sum = 0;

    for (uint i = 0; i < steps; i++) {
        sum += node->value;
        node = node->next;
    }
    sums[get_global_id(0)] = sum;
}
