// The inner loops of the fast CPU execution, compiled once per instruction set and chosen at run time. Activations are
// stored as [H*W, C/P, B, P] with P channels per panel. A block is one position of the map and one panel of channels: a
// dense B x P matrix. A convolution is a sum of small matrix products over the taps inside the map; taps that only see
// padding cost nothing. Not here: the network (network.h), threads (the callers distribute blocks).
#pragma once

#include <cstdint>

namespace chestmnist::cpu {

// One term of a sum of products: rows of A times a panel of B.
struct Segment {
  const float* a;
  const float* b;
};

// C[rows, P] (+)= sum over segments of A[rows, depth] * B[depth, P]; B and C are dense.
struct Product {
  const Segment* segments;
  int64_t count;
  int64_t depth;
  int64_t a_row, a_depth;    // strides of A, in floats
  int64_t a_span, a_stride;  // A's depth is split into parts of a_span, a_stride floats apart: a position's panels
  float* c;
  int64_t rows;
  bool accumulate;
};

struct AdamStep {
  float learning_rate, weight_decay;
  bool decoupled;
  float bias_correction1, bias_correction2_sqrt;
  float gradient_scale;  // 1, or less where gradients are clipped
  float average_weight;  // how far the averages move to the new weights
};

// Arguments are blocks of B x P floats (`rows` = B) or have P values, one per channel.
struct Kernels {
  const char* name;
  int64_t panel;  // P; every channel count is a multiple of it

  void (*product)(const Product&);

  // sums[c] = sum of x - x[0]; squares[c] = sum of (x - x[0])^2, where x[0] is the block's first row.
  void (*moments)(const float* x, int64_t rows, double* sums, double* squares);
  // y = x * scale + offset (+ residual), with ReLU if `relu`; y may be x.
  void (*affine)(const float* x, const float* residual, bool relu, int64_t rows, const float* scale,
                 const float* offset, float* y);
  // dy *= (y > 0) if y is given; sums[c] = sum of dy, dots[c] = sum of dy * (x - mean[c]).
  void (*norm_reduce)(float* dy, const float* y, const float* x, int64_t rows, const float* mean, double* sums,
                      double* dots);
  // dx = dy * by_dy + (x - mean) * by_x + offset; dx may be dy.
  void (*norm_apply)(const float* dy, const float* x, int64_t rows, const float* mean, const float* by_dy,
                     const float* by_x, const float* offset, float* dx);
  // y = the maximum over `count` blocks of max(x * scale + offset, 0); which = the first block that has it, or 255
  // where all are 0 and no gradient passes.
  void (*pool)(const float* const* x, int64_t count, int64_t rows, const float* scale, const float* offset, float* y,
               uint8_t* which);
  // dx = sum of dy over those of `count` windows whose maximum is this block, which has number `rank` in the window.
  void (*pool_backward)(const float* const* dy, const uint8_t* const* which, const uint8_t* rank, int64_t count,
                        int64_t rows, float* dx);
  // Winograd's transforms (winograd.h) on squares of `count` floats each: from 4x4 to 4x4, from 4x4 to 2x2, from 2x2 to
  // 4x4, from 3x3 to 4x4, from 4x4 to 3x3. `accumulate` adds to the output.
  using Transform = void(const float* const* from, float* const* to, int64_t count, bool accumulate);
  Transform *winograd_input, *winograd_output, *winograd_output_gradient, *winograd_weight, *winograd_weight_gradient;
  // One Adam or AdamW update of `count` parameters (torch.optim.Adam, fused), and of their averages unless null.
  void (*adam)(float* w, const float* g, float* m, float* v, float* average, int64_t count, const AdamStep& step);
  // to[c, r] = from[r, c] for a P x P block, both dense.
  void (*transpose)(const float* from, float* to);
};

// The best instruction set of this processor; null if it has none, and then no fast execution.
const Kernels* kernels();

}  // namespace chestmnist::cpu
