// The inner loops of the fast CPU execution, compiled once per instruction set and chosen when the program runs.
// Activations lie position-major, [H*W, B, C]: at one position of the map the batch is a dense B x C matrix, so a
// convolution is a sum of small matrix products over the taps that see the map, and a tap that only sees padding
// costs nothing. Not here: the network (network.h), threads (the callers split the work).
#pragma once

#include <cstdint>

namespace chestmnist::cpu {

// One term of a sum of products: rows of A times a panel of B.
struct Segment {
  const float* a;
  const float* b;
};

// C[rows, panel] (+)= sum over segments of A[rows, depth] * B[depth, panel].
struct Product {
  const Segment* segments;
  int64_t count;
  int64_t depth;
  int64_t a_row, a_depth;  // strides of A, in floats
  int64_t b_depth;         // stride of B between depths; a panel is contiguous
  float* c;
  int64_t c_row;
  int64_t rows;
  bool accumulate;
};

struct AdamStep {
  float learning_rate, weight_decay;
  bool decoupled;
  float bias_correction1, bias_correction2_sqrt;
};

// Rows x channels matrices are dense, [rows, channels]; per-channel arrays have `channels` values.
struct Kernels {
  const char* name;
  int64_t panel;  // columns of a panel; every channel count is a multiple of it

  void (*product)(const Product&);

  // sums[c] += x - shift[c] and squares[c] += (x - shift[c])^2 over the rows.
  void (*moments)(const float* x, int64_t rows, int64_t channels, const float* shift, double* sums, double* squares);
  // y = max(x * scale + offset (+ residual), 0), the maximum only when `relu`.
  void (*affine)(const float* x, const float* residual, bool relu, int64_t rows, int64_t channels, const float* scale,
                 const float* offset, float* y);
  // dy *= (y > 0) when y is given; sums[c] += dy, dots[c] += dy * (x - mean[c]).
  void (*norm_reduce)(float* dy, const float* y, const float* x, int64_t rows, int64_t channels, const float* mean,
                      double* sums, double* dots);
  // dx = dy * by_dy + (x - mean) * by_x + offset, per channel; dx may be dy.
  void (*norm_apply)(const float* dy, const float* x, int64_t rows, int64_t channels, const float* mean,
                     const float* by_dy, const float* by_x, const float* offset, float* dx);
  // y = max(y, x), elementwise.
  void (*maximum)(const float* x, int64_t count, float* y);
  // Where y == x and the place is not yet taken: dx += dy and the place is taken (its gradient set to 0).
  void (*maximum_backward)(const float* x, const float* y, int64_t count, float* dy_left, float* dx);
  // One Adam or AdamW update of `count` parameters (torch.optim.Adam, fused).
  void (*adam)(float* w, const float* g, float* m, float* v, int64_t count, const AdamStep& step);
  // to[c, r] = from[r, c] for a rows x columns block with the given row strides.
  void (*transpose)(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to, int64_t to_row);
};

// The best set this processor runs, or null: then there is no fast execution.
const Kernels* kernels();

}  // namespace chestmnist::cpu
