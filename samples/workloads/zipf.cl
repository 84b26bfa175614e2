kernel void serve(global struct zipf_record *records, global const uint *requests,
                  global uint *answers, uint pass)
{
    uint request = (uint)get_global_id(0), sum = 0;
    global struct zipf_record *record = &records[requests[request]];

    if (ZIPF_WRITES(request, pass)) {
        atomic_fetch_add_explicit((volatile global atomic_uint *)&record->writes, 1,
                                  memory_order_relaxed, memory_scope_device);
        return;
    }
    for (uint k = 0; k < ZIPF_WORDS; k++)
        sum += record->words[k];
    answers[request] += sum;
}
