// The fast CPU execution: batches gathered straight from uint8 into the network's padded input, the kernels' forward
// and backward, one Adam pass over the live parameters.
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
  // Before the buffers are used, and (for training) before they change.
  void use(bool changes);
  // Fills the network's input, and the labels when `labels`.
  void gather(const Split& split, const int32_t* index, int64_t first, int64_t batch, bool labels);
  // The mean loss of the gathered batch; gradients are left in parameters_.
  double forward_backward(int64_t batch);

  const Kernels& kernels_;
  ResNet18& model_;
  Adam& optimizer_;
  int64_t input_size_;
  Parameters parameters_;
  Network network_;
  std::array<float, 256> normalised_;  // (x/255 - 0.5)/0.5 of every byte

  bool in_tensors_ = true;   // the tensors hold something the buffers do not
  bool in_buffers_ = false;  // the buffers hold something the tensors do not
  int64_t step_ = 0;
  const Split* split_ = nullptr;
  c10::ArrayRef<int32_t> order_;
  double loss_sum_ = 0;
  std::vector<float> labels_, logits_;  // [B, L] of the batch
};

}  // namespace chestmnist::cpu
