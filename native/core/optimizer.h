// Adam and AdamW with LibTorch's fused kernels, as torch.optim.Adam(fused=True): betas 0.9 and 0.999, eps 1e-8.
#pragma once

#include "core/resnet.h"

namespace chestmnist {

struct AdamOptions {
  bool decoupled_weight_decay = false;  // AdamW
  double learning_rate = 1e-3;
  double weight_decay = 0;
  bool decay_norms = true;  // also decays vectors: the norms' weights and all biases, as torch does with one group
  double clip_norm = 0;     // the most that the norm of all gradients may be (clip_grad_norm_); 0 for no limit
};

class Adam {
 public:
  Adam(const std::vector<NamedTensor>& parameters, AdamOptions options);

  const AdamOptions& options() const { return options_; }
  // Of the steps that follow. Never in a recorded step: it writes to the device.
  void set_learning_rate(double learning_rate);
  // Discards the gradients left by a step that failed half way, e.g. for lack of memory.
  void discard_gradients();
  // One update from the parameters' gradients, which are then released.
  void step();

  // "step" (float32 on the device, shape []), then exp_avg.<parameter> and exp_avg_sq.<parameter>.
  const std::vector<NamedTensor>& state() const { return state_; }

 private:
  // Parameters with one weight decay.
  struct Group {
    double weight_decay;
    std::vector<at::Tensor> parameters, exp_avgs, exp_avg_sqs, steps;
  };

  AdamOptions options_;
  std::vector<Group> groups_;
  at::Tensor step_;           // one count shared by all parameters
  at::Tensor learning_rate_;  // defined on CUDA only, where a recorded step reads the rate from memory
  std::vector<NamedTensor> state_;
};

}  // namespace chestmnist
