// ResNet-18 (resnet.h) on the kernels: its layers in order, forward and backward written out. The same function as
// the plain network, tested against it.
#pragma once

#include <optional>

#include "convolution.h"
#include "norm.h"

namespace chestmnist::cpu {

class Network {
 public:
  // `parameters` is given its layouts here, in torchvision's parameters() order.
  Network(const Kernels& kernels, Parameters& parameters, Stem stem, int64_t label_count, Map input);

  // Padded input [H + 2p, W + 2p, B] to be filled before forward().
  float* input(int64_t batch);
  Map padded_input() const { return stem_.padded(); }
  int64_t input_padding() const { return stem_.padding(); }

  // Logits [B, padded labels]; row stride logit_stride().
  const float* forward(bool training, int64_t batch);
  int64_t logit_stride() const { return padded_labels_; }

  // From the logits of the last forward(true) and labels [B, L]: the mean loss, and every parameter's gradient.
  double backward(const float* labels, int64_t batch);

  // Every BatchNorm, named as its state dict prefix.
  std::vector<std::pair<std::string, Norm*>> norms();

 private:
  // A convolution and its BatchNorm, with what backward needs of them.
  struct Unit {
    Convolution conv;
    Norm norm;
    Buffer raw, out;  // before and after the norm, [positions, B, C]

    Unit(const Kernels& kernels, Parameters& parameters, const std::string& conv_name, const std::string& norm_name,
         int64_t inputs, int64_t outputs, int64_t kernel, int64_t stride, Map in)
        : conv(kernels, parameters, conv_name, inputs, outputs, kernel, stride, in),
          norm(kernels, parameters, norm_name, outputs) {}
    int64_t size() const { return conv.out().positions() * conv.outputs(); }
  };
  struct Block {
    std::string name;
    Unit first, second;
    std::optional<Unit> downsample;
  };

  void reserve(int64_t batch);
  void max_pool(int64_t batch);
  void max_pool_backward(float* dy, int64_t batch, float* dx) const;
  const float* block_forward(Block& block, const float* x, bool training, int64_t batch);
  // `gradient` holds dy on entry and dx on return.
  void block_backward(Block& block, const float* x, int64_t batch, Buffer& gradient);
  double loss_backward(const float* labels, int64_t batch);
  void head_backward(int64_t batch, float* dx);

  const Kernels& kernels_;
  Parameters& parameters_;
  StemConvolution stem_;
  Norm stem_norm_;
  bool pooled_;
  Map pool_;
  std::vector<Block> blocks_;
  int64_t label_count_, padded_labels_;
  size_t fc_weight_, fc_bias_;

  int64_t reserved_ = 0;  // batch size the buffers hold
  Buffer input_, stem_raw_, stem_out_, pool_out_;
  Buffer features_, logits_, logit_gradients_;
  Buffer gradient_, first_gradient_, second_gradient_, spare_gradient_, transposed_;
};

}  // namespace chestmnist::cpu
