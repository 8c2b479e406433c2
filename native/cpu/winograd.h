// 3x3 convolutions of stride 1 by Winograd's F(2x2, 3x3): 16 products for the 2x2 outputs of a tile, where the direct
// method needs 36 (fewer at padding). Forward and both gradients equal the direct method except for rounding. Source:
// Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2015).
#pragma once

#include <array>

#include "cpu/blocks.h"
#include "cpu/parameters.h"

namespace chestmnist::cpu {

// Temporary memory of the convolutions, shared by all layers.
struct Workspace {
  Buffer transposed;   // weights with inputs and outputs exchanged
  Buffer transformed;  // weights or their gradient, [16][n]
  Buffer tiles;        // transformed activations
  Buffer zeros;        // input outside the map
  Words left, right;   // operands of bfloat16 products
};

class Winograd {
 public:
  Winograd(const Kernels& kernels, Map map);

  // Whether Winograd is less work than `pairs` direct products.
  static bool pays(Map map, int64_t pairs);

  // y (+)= x * weights [9][y panels][x channels][P], with the taps in reverse order if `reversed`.
  void convolve(Workspace& workspace, const float* weights, bool reversed, const float* x, int64_t x_channels,
                int64_t batch, bool accumulate, float* y, int64_t y_channels, const Finish& finish) const;
  // Sets the gradients [9][y panels][x channels][P] of the weights in y = x * weights.
  void weight_gradient(Workspace& workspace, const float* x, int64_t x_channels, const float* dy, int64_t y_channels,
                       int64_t batch, float* gradients) const;

 private:
  static constexpr int64_t kIn = 4, kOut = 2;  // sides of a tile
  static constexpr int64_t kProducts = kIn * kIn;

  // The positions of a tile's inputs or outputs, -1 outside the map.
  template <int64_t kSide>
  std::array<int64_t, kSide * kSide> positions(int64_t tile, int64_t origin) const;

  const Kernels& kernels_;
  Map map_, tiles_;
};

}  // namespace chestmnist::cpu
