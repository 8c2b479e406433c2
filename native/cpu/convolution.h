// Convolutions over position-major activations [H*W, B, C]. At each output position a convolution is a sum, over the
// taps that see the map there, of dense [B, in] x [in, out] products; its two gradients are sums of the same kind.
#pragma once

#include "parameters.h"

namespace chestmnist::cpu {

struct Map {
  int64_t height, width;
  int64_t positions() const { return height * width; }
};

class Convolution {
 public:
  Convolution(const Kernels& kernels, Parameters& parameters, const std::string& name, int64_t inputs, int64_t outputs,
              int64_t kernel, int64_t stride, Map in);

  Map out() const { return out_; }
  int64_t inputs() const { return inputs_; }
  int64_t outputs() const { return outputs_; }
  int64_t live_weights() const { return static_cast<int64_t>(pairs_of_tap_.size()) * inputs_ * outputs_; }

  // y = x * weight.
  void forward(Parameters& parameters, const float* x, int64_t batch, float* y) const;
  // dx (+)= the gradient of x. `scratch` holds live_weights() floats.
  void backward_data(Parameters& parameters, const float* dy, int64_t batch, bool accumulate, float* scratch,
                     float* dx) const;
  // Sets the weight's gradient.
  void backward_weight(Parameters& parameters, const float* x, const float* dy, int64_t batch) const;

 private:
  struct Term {
    int64_t tap;  // rank among the live taps
    int64_t position;
  };
  struct Pair {
    int64_t in, out;
  };

  const Kernels& kernels_;
  int64_t inputs_, outputs_;
  Map in_, out_;
  size_t weight_;
  std::vector<std::vector<Term>> terms_of_out_, terms_of_in_;  // per output position: inputs; per input: outputs
  std::vector<std::vector<Pair>> pairs_of_tap_;                // per live tap
};

// The first convolution. Its three input channels are equal, so it runs on one channel with the sum of the three
// kernels, and their gradients are one gradient. The input is padded: [H + 2p, W + 2p, B].
class StemConvolution {
 public:
  StemConvolution(const Kernels& kernels, Parameters& parameters, Stem stem, Map in);

  static constexpr int64_t kOutputs = 64;
  Map out() const { return out_; }
  Map padded() const { return padded_; }
  int64_t padding() const { return padding_; }

  void forward(Parameters& parameters, const float* x, int64_t batch, float* y);
  void backward_weight(Parameters& parameters, const float* x, const float* dy, int64_t batch);

 private:
  // First padded position of the window of an output position.
  int64_t window(int64_t position) const {
    return position / out_.width * stride_ * padded_.width + position % out_.width * stride_;
  }

  const Kernels& kernels_;
  int64_t kernel_, stride_, padding_;
  Map padded_, out_;
  size_t weight_;
  Buffer sum_, gradient_;  // [panel][tap][within], [tap][output]
};

}  // namespace chestmnist::cpu
