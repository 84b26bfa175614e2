/* What gups does, as both host (C) and device (OpenCL C) compile it. Numbers are 32 bits wide and
 * wrap. */
#ifdef __OPENCL_VERSION__
#define GUPS_U64 ulong
#else
#define GUPS_U64 uint64_t
#endif

#define GUPS_MIX1(x) (((x) ^ ((x) >> 16)) * 0x7feb352du)
#define GUPS_MIX2(x) (((x) ^ ((x) >> 15)) * 0x846ca68bu)
/* The value of an update, and the word it is for. */
#define GUPS_VALUE(i, pass) GUPS_MIX2(GUPS_MIX1((i)*2654435769u + (pass)*40503u + 1u))
#define GUPS_PLACE(value, count) ((((value) ^ ((value) >> 16)) * (GUPS_U64)(count)) >> 32)
