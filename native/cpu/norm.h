// BatchNorm2d over [rows, channels], joined with the addition and the ReLU that follow it: one pass over memory for
// the statistics and one to apply them, each way.
#pragma once

#include "parameters.h"

namespace chestmnist::cpu {

class Norm {
 public:
  Norm(const Kernels& kernels, Parameters& parameters, const std::string& name, int64_t channels);

  // y = [relu](batchnorm(x) [+ residual]).
  void forward(Parameters& parameters, bool training, const float* x, int64_t rows, const float* residual, bool relu,
               float* y);
  // dy is the gradient of y on entry; where `y` is given (there was a ReLU) it is masked in place, and is then also
  // the residual's gradient. dx may be dy.
  void backward(Parameters& parameters, float* dy, const float* y, const float* x, int64_t rows, float* dx);

  // Running statistics, kept as the tensors of the state dict.
  at::Tensor running_mean, running_var, num_batches_tracked;

 private:
  void statistics(const float* x, int64_t rows);

  const Kernels& kernels_;
  int64_t channels_;
  size_t weight_, bias_;
  std::vector<float> mean_, inverse_std_;  // of the batch, or the running ones
};

}  // namespace chestmnist::cpu
