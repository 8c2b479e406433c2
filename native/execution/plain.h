// The network with LibTorch's operators and autograd, on any device: the reference for every other execution.
#pragma once

#include "execution/execution.h"

namespace chestmnist {

class PlainExecution : public Execution {
 public:
  PlainExecution(ResNet18& model, Adam& optimizer, Averages* averages, const ExecutionOptions& options);

  const char* name() const override { return "plain"; }
  void begin_epoch(const Split& split, c10::ArrayRef<int32_t> order, const Augmentation& augmentation) override;
  void train_batch(int64_t begin, int64_t end) override;
  double loss_sum() override;
  void begin_prediction() override { kept_.clear(); }
  void predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) override;
  double backward(const Split& split, c10::ArrayRef<int32_t> order, const Augmentation& augmentation) override;
  void finish_prediction() override;
  void append_evidence(const Split& split, int64_t begin, int64_t end, std::vector<float>& maps) override;
  void flush() override {}
  void reload() override {}

 protected:
  const Split& split() const { return *split_; }
  // Positions [begin, end) of the epoch's order.
  Samples samples(int64_t begin, int64_t end) const { return Samples::at(order_.slice(0, begin, end), augmentation_); }
  // One update; the loss is summed on the device.
  void step(const Split& split, const Samples& samples);
  // Logits [B, L] in evaluation mode.
  at::Tensor evaluate(const Split& split, const at::Tensor& index) const;
  // Discards what a step that failed half way left on the parameters.
  void discard_gradients() { optimizer_.discard_gradients(); }
  // Keeps logits on the device; they are copied to `logits` by finish_prediction() at the latest.
  void keep(const at::Tensor& on_device, float* logits);

 private:
  at::Tensor forward(const at::Tensor& images, bool training) const;
  // In training mode.
  at::Tensor loss(const Batch& batch) const;

  ResNet18& model_;
  Adam& optimizer_;
  Averages* averages_;  // may be null
  ExecutionOptions options_;
  at::ScalarType dtype_;  // of the weights, batches, logits and loss
  const Split* split_ = nullptr;
  at::Tensor order_;              // int64 on the device
  Augmentation augmentation_;     // of the epoch
  at::Tensor label_weights_;      // [L], or undefined
  at::Tensor loss_sum_;           // on the device: reading it makes the host wait
  std::vector<at::Tensor> kept_;  // logits of batches in order
  float* kept_logits_ = nullptr;  // destination of the first of them
};

}  // namespace chestmnist
