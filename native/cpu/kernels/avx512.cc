// AVX-512F: 32 registers of 16 floats.
#if defined(__AVX512F__)
#define SET avx512
#define SET_NAME "AVX-512"
#define LANES 16
#define ROWS 12
#include "cpu/kernels/kernels.inc"
#endif
