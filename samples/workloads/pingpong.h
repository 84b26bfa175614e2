/* What becomes of a word, as both host (C) and device (OpenCL C) compile it. Words wrap. */
#define PINGPONG_PRODUCED(i, piece) ((i)*2654435761u + (piece))
#define PINGPONG_CONSUMED(word) (((word) ^ ((word) >> 7)) * 1664525u + 1013904223u)
