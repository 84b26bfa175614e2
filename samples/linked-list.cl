/*
 * Walks one list per work-item: unlinks some nodes, changes the values of the others and reverses
 * the order of those. Nothing but the pointers in the nodes says where the next node is.
 */
kernel void edit(global struct list *global *lists)
{
    global struct list *list = lists[get_global_id(0)];
    global struct node *node = list->head;
    global struct node *kept = 0;
    global struct node *removed = 0;
    ulong length = 0, sum = 0;

    while (node) {
        global struct node *next = node->next;

        if (node->value % REMOVE_DIVISOR == 0) {
            node->next = removed;
            removed = node;
        } else {
            node->value = CHANGED(node->value);
            sum += node->value;
            length++;
            node->next = kept;
            kept = node;
        }
        node = next;
    }
    list->head = kept;
    list->removed = removed;
    list->length = length;
    list->sum = sum;
}
