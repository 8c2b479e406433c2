// Adam and AdamW with LibTorch's fused kernels, as torch.optim.Adam(fused=True): betas 0.9 and 0.999, eps 1e-8.
#pragma once

#include "core/resnet.h"

namespace chestmnist {

struct AdamOptions {
  bool decoupled_weight_decay = false;  // AdamW
  double learning_rate = 1e-3;
  double weight_decay = 0;
};

class Adam {
 public:
  Adam(const std::vector<NamedTensor>& parameters, AdamOptions options);

  const AdamOptions& options() const { return options_; }
  void set_learning_rate(double learning_rate) { options_.learning_rate = learning_rate; }
  // Copies the learning rate to the device and discards gradients. Call it before the first step after the rate was
  // set, never in a recorded step.
  void prepare();
  // Discards the gradients left by a step that failed half way, e.g. for lack of memory.
  void discard_gradients();
  // One update from the parameters' gradients, which are then released.
  void step();

  // "step" (float32 on the device, shape []), then exp_avg.<parameter> and exp_avg_sq.<parameter>.
  const std::vector<NamedTensor>& state() const { return state_; }

 private:
  AdamOptions options_;
  std::vector<at::Tensor> parameters_, exp_avgs_, exp_avg_sqs_, steps_;
  at::Tensor step_;           // one count shared by all parameters
  at::Tensor learning_rate_;  // defined on CUDA only, where a recorded step reads the rate from memory
  std::vector<NamedTensor> state_;
};

}  // namespace chestmnist
