/* What becomes of a word, as both host (C) and device (OpenCL C) compile it. Words wrap. */
#define PHASES_READS 64u /* words that are added up into one sum */
#define PHASES_UPDATED(word) ((word)*1664525u + 1013904223u)
