// The network by LibTorch's own operators and autograd, on any device: the reference for every other execution.
#pragma once

#include "execution.h"

namespace chestmnist {

class PlainExecution : public Execution {
 public:
  PlainExecution(ResNet18& model, Adam& optimizer, const ExecutionOptions& options);

  void begin_epoch(const Split& split, c10::ArrayRef<int32_t> order) override;
  void train_batch(int64_t begin, int64_t end) override;
  double loss_sum() override;
  void predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) override;
  double backward(const Split& split, c10::ArrayRef<int32_t> order) override;
  void flush() override {}
  void reload() override {}

 private:
  at::Tensor forward(const at::Tensor& images, bool training) const;

  ResNet18& model_;
  Adam& optimizer_;
  ExecutionOptions options_;
  const Split* split_ = nullptr;
  at::Tensor order_;     // int64 on the device
  at::Tensor loss_sum_;  // stays on the device: reading it makes the host wait
};

}  // namespace chestmnist
