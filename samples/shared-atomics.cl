/*
 * The device's side of shared-atomics. Every loop ends when `stop` is set, none waits for another
 * work-item, and each turn of a loop is one attempt: so it also ends where work-groups run one
 * after the other, or where work-items go in lock step.
 */
#define ALL memory_scope_all_svm_devices
#define LOAD(p, order) atomic_load_explicit(p, memory_order_##order, ALL)
#define STORE(p, v, order) atomic_store_explicit(p, v, memory_order_##order, ALL)
#define ADD(p, v) atomic_fetch_add_explicit(p, v, memory_order_relaxed, ALL)

/* Part 1: draws tickets until there are none left, at the same time as the host's threads. */
kernel void draw_tickets(global struct control *control, global struct tickets *tickets)
{
    uint mine = 0;
    bool waits = false;

    while (!LOAD(&control->stop, relaxed)) {
        /* after its first ticket the device waits for the host to have one: so both are at it */
        if (waits && !LOAD(&control->host_is_here, relaxed))
            continue;
        waits = false;

        uint ticket = ADD(&tickets->next, 1);

        if (ticket >= tickets->count)
            break;
        ADD(&tickets->taken[ticket], 1);
        ADD(&tickets->histogram[BIN(tickets->values[ticket])], 1);
        if (!mine++) {
            STORE(&control->device_is_here, 1, relaxed);
            waits = true;
        }
    }
    ADD(&tickets->by_device, mine);
}

/* Takes an item: 1 if it got one, 0 if the queue was empty, -1 if another was faster. */
int try_get(global struct queue *queue, uint *item, uint *value)
{
    uint position = LOAD(&queue->get, relaxed);
    global struct slot *slot = &queue->slots[position & queue->mask];
    int ahead = (int)(LOAD(&slot->sequence, acquire) - (position + 1));

    if (ahead)
        return ahead < 0 ? 0 : -1;
    if (!atomic_compare_exchange_strong_explicit(&queue->get, &position, position + 1,
                                                 memory_order_relaxed, memory_order_relaxed, ALL))
        return -1;
    *item = slot->item;
    *value = slot->value;
    STORE(&slot->sequence, position + queue->mask + 1, release);
    return 1;
}

/* Puts an item; false if the queue was full or another was faster. */
bool try_put(global struct queue *queue, uint item, uint value)
{
    uint position = LOAD(&queue->put, relaxed);
    global struct slot *slot = &queue->slots[position & queue->mask];

    if (LOAD(&slot->sequence, acquire) != position)
        return false;
    if (!atomic_compare_exchange_strong_explicit(&queue->put, &position, position + 1,
                                                 memory_order_relaxed, memory_order_relaxed, ALL))
        return false;
    slot->item = item;
    slot->value = value;
    STORE(&slot->sequence, position + 1, release);
    return true;
}

/* Part 2: takes items that host threads put, works on them, passes them on to other threads. */
kernel void relay(global struct control *control, global struct queue *in, global struct queue *out)
{
    bool holding = false;
    uint item = 0, value = 0;

    while (!LOAD(&control->stop, relaxed)) {
        if (!holding) {
            /* looked at before the queue: what was put before it was closed is still seen */
            bool closed = LOAD(&control->closed, acquire);
            int got = try_get(in, &item, &value);

            if (got > 0) {
                value = ANSWER(value);
                holding = true;
            } else if (!got && closed) {
                break;
            }
        }
        if (holding && try_put(out, item, value))
            holding = false;
    }
}

/* Part 3: one work-item changes the message each time it gets it, and hands it back. */
kernel void echo(global struct control *control, global struct message *message, uint rounds)
{
    for (uint turn = 1; turn < 2 * rounds && !LOAD(&control->stop, relaxed);) {
        if (LOAD(&message->turn, acquire) != turn)
            continue;
        for (uint i = 0; i < MESSAGE_WORDS; i++)
            message->words[i] = ANSWER(message->words[i]) + i;
        STORE(&message->turn, turn + 1, release);
        turn += 2;
    }
}
