// The fast CPU execution: gathers batches from uint8 into the network's padded input, runs forward and backward on the
// kernels, and updates all live parameters in one Adam pass.
#pragma once

#include <array>

#include "cpu/network.h"
#include "execution/execution.h"

namespace chestmnist::cpu {

class FastExecution : public Execution {
 public:
  FastExecution(const Kernels& kernels, ResNet18& model, Adam& optimizer, const ExecutionOptions& options);

  const char* name() const override { return "fast"; }
  void begin_epoch(const Split& split, c10::ArrayRef<int32_t> order) override;
  void train_batch(int64_t begin, int64_t end) override;
  double loss_sum() override { return loss_sum_; }
  void begin_prediction() override {}
  void predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) override;
  void finish_prediction() override {}
  double backward(const Split& split, c10::ArrayRef<int32_t> order) override;
  void flush() override;
  void reload() override { in_tensors_ = true; }

 private:
  // Call before the buffers are used; `changes` if they will be written.
  void use(bool changes);
  // Fills the network's input, and the labels if `labels`.
  void gather(const Split& split, const int32_t* index, int64_t first, int64_t batch, bool labels);
  // The mean loss of the gathered batch; gradients are left in parameters_.
  double forward_backward(int64_t batch);

  const Kernels& kernels_;
  ResNet18& model_;
  Adam& optimizer_;
  int64_t input_size_;
  Parameters parameters_;
  Network network_;
  std::array<float, 256> normalised_;  // (x/255 - 0.5)/0.5 for every byte x

  bool in_tensors_ = true;   // the tensors are newer than the buffers
  bool in_buffers_ = false;  // the buffers are newer than the tensors
  int64_t step_ = 0;
  const Split* split_ = nullptr;
  c10::ArrayRef<int32_t> order_;
  double loss_sum_ = 0;
  std::vector<float> labels_, logits_;  // [B, L] of the batch
};

}  // namespace chestmnist::cpu
