// ResNet-18 as in torchvision (torchvision/models/resnet.py): the same names, construction order and initialisation, so
// that a seed gives the same state dict in both. It uses plain tensors and ATen operators and is the reference for
// testing every faster execution. Not here: training (training.h), data (dataset.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace chestmnist {

enum class Stem {
  kTorchvision,  // 7x7 stride 2, then 3x3 max-pool stride 2: for large images, and torchvision's weights
  kCifar,        // 3x3 stride 1, no max-pool: MedMNIST's published 28-pixel network
};

struct Conv2d {
  at::Tensor weight;  // [out, in, k, k], no bias
  int64_t stride = 1;
  int64_t padding = 0;

  at::Tensor forward(const at::Tensor& x) const;
};

struct BatchNorm2d {
  at::Tensor weight, bias;                                    // [C]
  at::Tensor running_mean, running_var, num_batches_tracked;  // [C], [C], [] int64

  at::Tensor forward(const at::Tensor& x, bool training) const;
};

struct Downsample {
  Conv2d conv;     // "0"
  BatchNorm2d bn;  // "1"
};

struct BasicBlock {
  Conv2d conv1, conv2;
  BatchNorm2d bn1, bn2;
  std::optional<Downsample> downsample;

  at::Tensor forward(const at::Tensor& x, bool training) const;
};

// A parameter or buffer under its torchvision name.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

class ResNet18 {
 public:
  // Initialised on the CPU in float32 from `seed` as after torch.manual_seed(seed), then moved to `device` and `dtype`.
  ResNet18(Stem stem, int64_t label_count, uint64_t seed, at::Device device, at::ScalarType dtype);

  // x [B, 3, S, S] -> logits [B, L]. Training mode normalises by the batch statistics and updates the running ones.
  at::Tensor forward(const at::Tensor& x, bool training) const;

  // x [B, 3, S, S] -> [B, L, s, s] in evaluation mode: what each position of the last layer adds to the logits. Their
  // mean over the positions plus the bias is the logit: the head averages, then weighs, and both are linear.
  at::Tensor evidence(const at::Tensor& x) const;

  // torchvision's state_dict order: parameters and buffers interleaved, 122 entries.
  const std::vector<NamedTensor>& state() const { return state_; }
  // torchvision's parameters() order: 62 entries.
  const std::vector<NamedTensor>& parameters() const { return parameters_; }

 private:
  at::Tensor features(const at::Tensor& x, bool training) const;  // [B, 512, s, s]

  Stem stem_;
  Conv2d conv1_;
  BatchNorm2d bn1_;
  std::vector<std::vector<BasicBlock>> layers_;
  at::Tensor fc_weight_, fc_bias_;  // [L, 512], [L]
  std::vector<NamedTensor> state_, parameters_;
};

}  // namespace chestmnist
