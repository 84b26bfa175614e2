/* A node of chase, as both host (C) and device (OpenCL C) compile it: a cache line. */
#ifdef __OPENCL_VERSION__
#define CHASE_GLOBAL global
#define CHASE_U64 ulong
#else
#define CHASE_GLOBAL
#define CHASE_U64 uint64_t
#endif

struct chase_node {
    CHASE_GLOBAL struct chase_node *next;
    CHASE_U64 value;
    CHASE_U64 more[6];
};
