// ResNet-18 (resnet.h) on the kernels: its layers in order, with explicit forward and backward. It computes the same
// function as the plain network and is tested against it.
#pragma once

#include <optional>

#include "cpu/convolution.h"
#include "cpu/norm.h"
#include "execution/execution.h"

namespace chestmnist::cpu {

class Network {
 public:
  // Adds the layouts to `parameters`, in torchvision's parameters() order.
  // With `tiles`, the products of the residual blocks are in bfloat16: the first and the last layer are float32.
  Network(const Kernels& kernels, const Tiles* tiles, Parameters& parameters, const ExecutionOptions& options,
          int64_t label_count);

  // Padded input [H + 2p, W + 2p, channels, B]; fill it before forward().
  float* input(bool training, int64_t batch);
  Map padded_input() const { return stem_.padded(); }
  int64_t input_padding() const { return stem_.padding(); }
  int64_t input_channels() const { return stem_.channels(); }

  // Writes logits [B, L].
  void forward(bool training, int64_t batch, float* logits);

  // From the logits of the last forward(true) and targets [B, L] from 0 to 1: returns the mean loss and sets all
  // gradients.
  double backward(const float* logits, const float* labels, int64_t batch);

  // What each position of the last layer added to the logits of the forward pass before this call: appends [B, L,
  // positions].
  void append_evidence(int64_t batch, std::vector<float>& maps);

  // Every BatchNorm with its prefix in the state dict.
  std::vector<std::pair<std::string, Norm*>> norms();

 private:
  // A convolution and its BatchNorm, with the outputs that backward needs.
  struct Unit {
    Convolution conv;
    Norm norm;
    Buffer raw, out;  // before and after the norm

    Unit(const Kernels& kernels, const Tiles* tiles, Parameters& parameters, const std::string& conv_name,
         const std::string& norm_name, int64_t inputs, int64_t outputs, int64_t kernel, int64_t stride, Map in)
        : conv(kernels, tiles, parameters, conv_name, inputs, outputs, kernel, stride, in),
          norm(kernels, parameters, norm_name, outputs, conv.out().positions()) {}
    int64_t size() const { return conv.out().positions() * conv.outputs(); }
  };
  struct Block {
    std::string name;
    Unit first, second;
    std::optional<Unit> downsample;
  };

  // A pooling window that covers a position, and the position's number in the window.
  struct Window {
    int64_t position;
    uint8_t rank;
  };

  Map pooled(Map in);
  std::vector<Block> make_blocks(const Tiles* tiles);
  void reserve(int64_t batch, bool training);
  void stem_forward(bool training, int64_t batch);
  void pool(int64_t batch);
  void unit_forward(Unit& unit, const float* x, const float* residual, bool relu, bool training, int64_t batch);
  const float* block_forward(Block& block, const float* x, bool training, int64_t batch);

  // Called with each block of the gradient of a layer's output: collects the sums for that layer's norm.
  Finish receive_block(Block& block, int64_t batch);
  Finish receive_stem(int64_t batch);
  // On entry gradient_ holds dy, masked and summed; on return it holds dx. Each block of dx is passed to `receive`.
  void block_backward(Block& block, const float* x, int64_t batch, const Finish& receive);
  void pool_backward(int64_t batch);
  // The mean loss; sets the gradients of the logits and of the bias.
  double loss_backward(const float* logits, const float* labels, int64_t batch);
  void head_backward(int64_t batch, const Finish& receive);
  // Calls f(image, label or padding, index into the blocks of the last layer).
  template <typename F>
  void each_logit(int64_t batch, F f) const {
    const int64_t panel = kernels_.panel;
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t l = 0; l < fc_.outputs(); ++l) f(b, l, (l / panel * batch + b) * panel + l % panel);
    }
  }

  const Kernels& kernels_;
  Parameters& parameters_;
  StemConvolution stem_;
  Norm stem_norm_;
  bool pooled_;
  std::vector<std::vector<int64_t>> pool_inputs_;  // per window, in reading order
  std::vector<std::vector<Window>> pool_windows_;  // per position before the pooling
  Map pool_;                                       // after the pooling
  std::vector<Block> blocks_;
  LossOptions loss_;
  int64_t label_count_;
  Convolution fc_;
  size_t fc_bias_;

  int64_t reserved_ = 0, reserved_for_training_ = 0;  // batch sizes the buffers hold
  Buffer input_, stem_raw_, stem_out_;                // stem_out_ is after the pooling
  std::vector<uint8_t> pool_which_;                   // which position of a window has its maximum
  Buffer features_, logits_, logit_gradients_;
  Buffer gradient_, first_gradient_, second_gradient_, spare_gradient_;
  Workspace workspace_;
};

}  // namespace chestmnist::cpu
