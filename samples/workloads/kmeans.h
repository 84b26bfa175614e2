/* The centres of kmeans, as both host (C) and device (OpenCL C) compile them. Numbers wrap. */
#ifdef __OPENCL_VERSION__
#define KMEANS_U32 uint
#else
#define KMEANS_U32 uint32_t
#endif

enum { KMEANS_CENTRES = 8, KMEANS_DIMENSIONS = 4 };

struct kmeans_centres {
    KMEANS_U32 at[KMEANS_CENTRES][KMEANS_DIMENSIONS];
    KMEANS_U32 sums[KMEANS_CENTRES][KMEANS_DIMENSIONS];
    KMEANS_U32 counts[KMEANS_CENTRES];
};
