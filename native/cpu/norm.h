// BatchNorm2d on the blocks of a map. Its sums are collected from each block right after the block is computed; one
// more pass applies them, fused with the following addition and ReLU. Sums are float within 64 rows and double across,
// block by block in order, so that they do not depend on the threads.
#pragma once

#include "cpu/blocks.h"
#include "cpu/parameters.h"

namespace chestmnist::cpu {

class Norm {
 public:
  Norm(const Kernels& kernels, Parameters& parameters, const std::string& name, int64_t channels, int64_t positions);

  // Training: collect() takes the statistics of each block of x as it is computed; use_batch(), called once, combines
  // them to those of the batch.
  void collect(int64_t position, int64_t panel, const float* block, int64_t batch);
  void use_batch(Parameters& parameters, const float* x, int64_t batch);
  // Evaluation: the running statistics.
  void use_running(Parameters& parameters);
  // y = [relu](batchnorm(x) [+ residual]), for one block.
  void apply(int64_t panel, const float* x, const float* residual, bool relu, int64_t batch, float* y) const;

  // The same for all blocks.
  void apply_all(const float* x, const float* residual, bool relu, int64_t batch, float* y) const;

  // scale and offset of a panel's channels: batchnorm(x) = x * scale + offset.
  const float* scale(int64_t panel) const { return scale_.data() + panel * kernels_.panel; }
  const float* offset(int64_t panel) const { return offset_.data() + panel * kernels_.panel; }

  // Backward: collect_gradient() takes each block of dy as it is computed. If `y` is given (the layer has a ReLU), dy
  // is masked in place and is then also the residual's gradient. backward(), called once, sets the parameters'
  // gradients and dx, which may be dy.
  void collect_gradient(int64_t position, int64_t panel, float* dy, const float* y, const float* x, int64_t batch);
  void backward(Parameters& parameters, const float* dy, const float* x, int64_t batch, float* dx);

  // Running statistics: the tensors of the state dict.
  at::Tensor running_mean, running_var, num_batches_tracked;

 private:
  void set_scale(Parameters& parameters);
  double* sums(int64_t position) { return sums_.data() + position * 2 * channels_; }

  const Kernels& kernels_;
  int64_t channels_, positions_;
  size_t weight_, bias_;
  std::vector<double> sums_;               // [position][2][channel]
  std::vector<float> mean_, inverse_std_;  // of the batch, or the running ones
  std::vector<float> scale_, offset_;
};

}  // namespace chestmnist::cpu
