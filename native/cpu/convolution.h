// Convolutions on blocks of activations (kernels.h). At each output position a convolution is a sum of dense
// [B, in] x [in, out] products over the taps that are inside the map; both gradients are sums of the same kind.
#pragma once

#include <optional>

#include "cpu/tiled.h"
#include "cpu/winograd.h"

namespace chestmnist::cpu {

// Also used for the last layer, as a convolution on a 1x1 map.
class Convolution {
 public:
  // With `tiles`, products are in bfloat16.
  Convolution(const Kernels& kernels, const Tiles* tiles, Parameters& parameters, const std::string& name,
              int64_t inputs, int64_t outputs, int64_t kernel, int64_t stride, Map in);

  Map out() const { return out_; }
  int64_t inputs() const { return inputs_; }
  int64_t outputs() const { return outputs_; }  // padded to whole panels

  // y = x * weight.
  void forward(Parameters& parameters, Workspace& workspace, const float* x, int64_t batch, float* y,
               const Finish& finish);
  // dx = the gradient of x, added to dx if `accumulate`.
  void backward_data(Parameters& parameters, Workspace& workspace, const float* dy, int64_t batch, bool accumulate,
                     float* dx, const Finish& finish);
  // Sets the weight's gradient.
  void backward_weight(Parameters& parameters, Workspace& workspace, const float* x, const float* dy,
                       int64_t batch) const;

 private:
  // y[position] (+)= sum over the position's terms of x[term.position] * weights[term.tap].
  void gather(const Terms& terms, const float* x, int64_t x_channels, const float* weights, int64_t batch,
              bool accumulate, float* y, int64_t y_channels, const Finish& finish) const;

  const Kernels& kernels_;
  int64_t inputs_, outputs_;
  Map in_, out_;
  size_t weight_;
  Terms terms_of_out_, terms_of_in_;             // per output position: inputs; per input position: outputs
  std::vector<std::vector<Pair>> pairs_of_tap_;  // per live tap
  std::optional<Tiled> tiled_;                   // set for bfloat16
  std::optional<Winograd> winograd_;             // set where Winograd is less work
};

// The first convolution. The three channels of a gray image are equal, so it runs on one channel with the sum of the
// three kernels, and all three have the same gradient. An RGB image has its own. The input is padded:
// [H + 2p, W + 2p, channels, B].
class StemConvolution {
 public:
  StemConvolution(const Kernels& kernels, Parameters& parameters, Stem stem, int64_t channels, Map in);

  static constexpr int64_t kOutputs = 64;
  Map out() const { return out_; }
  Map padded() const { return padded_; }
  int64_t padding() const { return padding_; }
  int64_t channels() const { return channels_; }

  void forward(Parameters& parameters, const float* x, int64_t batch, float* y, const Finish& finish);
  void backward_weight(Parameters& parameters, const float* x, const float* dy, int64_t batch);

 private:
  // Where the given row of the window of an output position begins, in blocks of B floats.
  int64_t window(int64_t position, int64_t row) const {
    const int64_t y = position / out_.width * stride_ + row, x = position % out_.width * stride_;
    return (y * padded_.width + x) * channels_;
  }

  const Kernels& kernels_;
  int64_t channels_, kernel_, stride_, padding_;
  Map padded_, out_;
  size_t weight_;
  Buffer used_, parts_;  // weights [panel][tap][channel][P] and gradients [part][panel][tap][channel][P]
};

}  // namespace chestmnist::cpu
