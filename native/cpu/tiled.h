// Convolutions in bfloat16: the operands of each product are rounded, sums are float32 (kernels/tiles.h). Activations,
// weights and gradients stay float32 in memory; rounded copies are made for a product. No Winograd here: its transforms
// would cost more than the products they save, and round once more.
#pragma once

#include "cpu/blocks.h"
#include "cpu/kernels/tiles.h"
#include "cpu/parameters.h"
#include "cpu/winograd.h"

namespace chestmnist::cpu {

class Tiled {
 public:
  // The weights [taps][y panels][x channels][P] of y = x * weights.
  Tiled(const Tiles& tiles, int64_t taps, int64_t x_channels, int64_t y_channels)
      : tiles_(tiles), taps_(taps), x_channels_(x_channels), y_channels_(y_channels) {}

  // As in Convolution; `terms` are those of the output or, in backward_data, of the input.
  void forward(const Parameters& parameters, size_t weight, Workspace& workspace, const Terms& terms, const float* x,
               int64_t x_positions, int64_t batch, float* y, const Finish& finish);
  void backward_data(const Parameters& parameters, size_t weight, Workspace& workspace, const Terms& terms,
                     const float* dy, int64_t y_positions, int64_t batch, bool accumulate, float* dx,
                     const Finish& finish);
  void weight_gradient(Workspace& workspace, const std::vector<std::vector<Pair>>& pairs_of_tap, const float* x,
                       int64_t x_positions, const float* dy, int64_t y_positions, int64_t batch,
                       float* gradients) const;

 private:
  // Weights as operands, and the version of the parameters that they were made from.
  struct Packed {
    Words words;
    int64_t version = 0;
  };

  // [tap][output panel][input panel] operands, or [tap][input panel][output panel] transposed ones.
  const uint32_t* packed(const Parameters& parameters, size_t weight, bool transposed, Packed& packed) const;
  // y[position] (+)= sum over the position's terms of x[term.position] * weights[term.tap].
  void gather(Workspace& workspace, const uint32_t* weights, const Terms& terms, const float* x, int64_t x_positions,
              int64_t x_channels, int64_t batch, bool accumulate, float* y, int64_t y_channels,
              const Finish& finish) const;
  // Every block of x as an operand.
  const uint32_t* operands(void (*make)(const float*, int64_t, uint32_t*), const float* x, int64_t blocks,
                           int64_t batch, Words& words) const;
  // share_out with tiles configured on each thread.
  template <typename F>
  void share_out_tiles(int64_t count, F f) const;

  const Tiles& tiles_;
  int64_t taps_, x_channels_, y_channels_;
  Packed forward_, transposed_;
};

}  // namespace chestmnist::cpu
