// Operands of tile products (tiles.h) in AVX-512F, and the product itself as AMX computes it. No standard header: the
// linker must not pick an inline function compiled here for another processor.
#if defined(__AVX512F__)
#include <immintrin.h>

#include "cpu/kernels/tiles.h"

namespace chestmnist::cpu::avx512 {

namespace {

// The upper halves of the words are the bfloat16 nearest to v. A NaN stays one.
inline __m512i rounded(__m512 v) {
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i up = _mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7fff));
  return _mm512_mask_or_epi32(up, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), bits, _mm512_set1_epi32(0x400000));
}

inline __m512i upper(__m512i words) { return _mm512_and_si512(words, _mm512_set1_epi32(static_cast<int>(0xffff0000))); }

inline __m512i paired(__m512 first, __m512 second) {
  return _mm512_or_si512(_mm512_srli_epi32(rounded(first), 16), upper(rounded(second)));
}

// A row of 32 floats as 16 pairs of neighbours.
inline __m512i packed(const float* row) {
  const __m512 left = _mm512_loadu_ps(row), right = _mm512_loadu_ps(row + 16);
  const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  return paired(_mm512_permutex2var_ps(left, even, right), _mm512_permutex2var_ps(left, odd, right));
}

// 16 channels from `channel` on, of row 2 * k and the one after it; zero from row `rows` on.
inline __m512i pair_of(const float* block, int64_t rows, int64_t k, int64_t channel) {
  const float* at = block + 2 * k * kStep + channel;
  if (2 * k + 1 < rows) return paired(_mm512_loadu_ps(at), _mm512_loadu_ps(at + kStep));
  return 2 * k < rows ? paired(_mm512_loadu_ps(at), _mm512_setzero_ps()) : _mm512_setzero_si512();
}

// Writes 16 x 16 words transposed: to[j * stride + i] = from[i][j].
inline void transpose(const __m512i* from, uint32_t* to, int64_t stride) {
  __m512i a[16], b[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_epi32(from[i], from[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(from[i], from[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
    b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
    b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
    b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512i low = _mm512_shuffle_i32x4(b[i], b[i + 4], 0x88), high = _mm512_shuffle_i32x4(b[i], b[i + 4], 0xdd);
    const __m512i low2 = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0x88),
                  high2 = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0xdd);
    _mm512_storeu_si512(to + i * stride, _mm512_shuffle_i32x4(low, low2, 0x88));
    _mm512_storeu_si512(to + (i + 4) * stride, _mm512_shuffle_i32x4(high, high2, 0x88));
    _mm512_storeu_si512(to + (i + 8) * stride, _mm512_shuffle_i32x4(low, low2, 0xdd));
    _mm512_storeu_si512(to + (i + 12) * stride, _mm512_shuffle_i32x4(high, high2, 0xdd));
  }
}

void rows_of(const float* block, int64_t rows, uint32_t* to) {
  for (int64_t row = 0; row < rows; ++row) _mm512_storeu_si512(to + row * 16, packed(block + row * kStep));
}

void columns_of(const float* block, int64_t rows, uint32_t* to) {
  for (int64_t begin = 0; begin < rows; begin += kStep, block += kStep * kStep, to += kStepWords) {
    for (int64_t half = 0; half < kStep; half += 16) {
      __m512i pairs[16];
      for (int64_t k = 0; k < 16; ++k) pairs[k] = pair_of(block, rows - begin, k, half);
      transpose(pairs, to + half * 16, 16);
    }
  }
}

void pairs_of(const float* block, int64_t rows, uint32_t* to) {
  for (int64_t begin = 0; begin < rows; begin += kStep) {
    for (int64_t k = begin / 2; k < begin / 2 + 16; ++k) {
      for (int64_t half = 0; half < kStep; half += 16) {
        _mm512_storeu_si512(to + k * kStep + half, pair_of(block, rows, k, half));
      }
    }
  }
}

void transposed_pairs_of(const float* block, uint32_t* to) {
  for (int64_t half = 0; half < kStep; half += 16) {
    __m512i words[16];
    for (int64_t i = 0; i < 16; ++i) words[i] = packed(block + (half + i) * kStep);
    transpose(words, to + half, kStep);
  }
}

void nothing() {}

// TDPBF16PS sums the even and the odd products of a step in two chains of fused multiply-adds, adds the two, and adds
// that to C. It flushes denormal inputs and results to zero, as this does by MXCSR.
void product(const TileProduct& p) {
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | _MM_FLUSH_ZERO_ON | _MM_DENORMALS_ZERO_ON);
  for (int64_t row = 0; row < p.rows; ++row) {
    for (int64_t half = 0; half < kStep; half += 16) {
      float* const c = p.c + row * kStep + half;
      __m512 sum = p.accumulate ? _mm512_loadu_ps(c) : _mm512_setzero_ps();
      for (const TileSegment* s = p.segments; s != p.segments + p.count; ++s) {
        for (int64_t step = 0; step < p.steps; ++step) {
          const uint32_t* a = s->a + step * p.a_step + row * 16;
          const uint32_t* b = s->b + step * kStepWords + half;
          __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
          for (int64_t k = 0; k < 16; ++k) {
            const __m512i both = _mm512_set1_epi32(static_cast<int>(a[k])), others = _mm512_loadu_si512(b + k * kStep);
            even = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(both, 16)),
                                   _mm512_castsi512_ps(_mm512_slli_epi32(others, 16)), even);
            odd = _mm512_fmadd_ps(_mm512_castsi512_ps(upper(both)), _mm512_castsi512_ps(upper(others)), odd);
          }
          sum = _mm512_add_ps(sum, _mm512_add_ps(even, odd));
        }
      }
      _mm512_storeu_ps(c, sum);
    }
  }
  _mm_setcsr(before);
}

}  // namespace

extern const TileOperands kOperands{rows_of, columns_of, pairs_of, transposed_pairs_of};
extern const TileKernels kEmulated{nothing, nothing, product};

}  // namespace chestmnist::cpu::avx512
#endif
