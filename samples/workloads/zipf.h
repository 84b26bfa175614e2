/* A record, a cache line, as both host (C) and device (OpenCL C) compile it. */
#ifdef __OPENCL_VERSION__
#define ZIPF_U32 uint
#else
#define ZIPF_U32 uint32_t
#endif

enum { ZIPF_WORDS = 15 };

struct zipf_record {
    ZIPF_U32 words[ZIPF_WORDS];
    ZIPF_U32 writes;
};

/* Whether a request writes: one in eight, others in each pass. */
#define ZIPF_WRITES(request, pass) ((((request) + (pass)) & 7u) == 0)
