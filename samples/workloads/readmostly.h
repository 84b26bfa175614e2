/* Which words are looked up, as both host (C) and device (OpenCL C) compile it. Numbers wrap. */
#ifdef __OPENCL_VERSION__
#define READMOSTLY_U64 ulong
#else
#define READMOSTLY_U64 uint64_t
#endif

#define READMOSTLY_READS 2u
#define READMOSTLY_HASH(x) (((x) ^ ((x) >> 15)) * 0x85ebca6bu)
#define READMOSTLY_PLACE(item, read, pass, count)                          \
    (((READMOSTLY_HASH((item)*2654435769u + (read)*40503u + (pass)*97u)) * \
      (READMOSTLY_U64)(count)) >>                                          \
     32)
