/*
 * What hot-buffer does to a word of its buffer, in the one form that both the host (C) and the
 * device (OpenCL C) compile. All words are 32 bits wide and wrap.
 *
 * Locking: host and device take turns.
 */

/* What the host writes at first into word number i. */
#define FIRST_VALUE(i) ((i)*2654435761u ^ 0x9e3779b9u)

/* One update by the device, and one by the host. */
#define UPDATED(value, i) ((value)*1664525u + (i))
#define CHANGED(value) (((value) ^ 0x5bd1e995u) + 1)
