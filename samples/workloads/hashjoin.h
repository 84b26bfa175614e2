/* A row, and a slot of the hash table, as both host (C) and device (OpenCL C) compile it. */
#ifdef __OPENCL_VERSION__
#define HASHJOIN_U32 uint
#else
#define HASHJOIN_U32 uint32_t
#endif

struct hashjoin_row {
    HASHJOIN_U32 key, value;
};
