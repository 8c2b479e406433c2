// AVX2 with FMA: 16 registers of 8 floats.
#if defined(__AVX2__) && defined(__FMA__)
#define SET avx2
#define SET_NAME "AVX2"
#define LANES 8
#define ROWS 6
#include "cpu/kernels/kernels.inc"
#endif
