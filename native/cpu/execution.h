// The fast CPU execution: gathers batches from uint8 into the network's padded input, runs forward and backward on the
// kernels, and updates all live parameters in one Adam pass.
#pragma once

#include "cpu/augment.h"
#include "cpu/network.h"
#include "execution/execution.h"

namespace chestmnist::cpu {

class FastExecution : public Execution {
 public:
  // With `tiles`, in bfloat16.
  FastExecution(const Kernels& kernels, const Tiles* tiles, ResNet18& model, Adam& optimizer, Averages* averages,
                const ExecutionOptions& options);

  const char* name() const override { return name_; }
  void begin_epoch(const Split& split, c10::ArrayRef<int32_t> order, const Augmentation& augmentation) override;
  void train_batch(int64_t begin, int64_t end) override;
  double loss_sum() override { return loss_sum_; }
  void begin_prediction() override {}
  void predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) override;
  void finish_prediction() override {}
  void append_evidence(const Split& split, int64_t begin, int64_t end, std::vector<float>& maps) override;
  double backward(const Split& split, c10::ArrayRef<int32_t> order, const Augmentation& augmentation) override;
  void flush() override;
  void reload() override { in_tensors_ = true; }

 private:
  // Call before the buffers are used; `changes` if they will be written.
  void use(bool changes);
  // Fills the network's input `x`: value(row, column, channel, to) writes one value per image.
  template <typename Value>
  void fill_input(int64_t batch, float* x, Value value);
  // From the images of the split: sample(b) is the index of the batch's image b.
  template <typename Sample>
  void gather_as_they_are(const Split& split, int64_t batch, float* x, Sample sample);
  // Input and targets of a training batch.
  void gather(const Split& split, const int32_t* index, int64_t batch, const Augmentation& augmentation);
  void gather_targets(const Split& split, const int32_t* index, int64_t batch, const Augmentation& augmentation);
  // The mean loss of the gathered batch; gradients are left in parameters_.
  double forward_backward(int64_t batch);

  const Kernels& kernels_;
  const char* name_;
  ResNet18& model_;
  Adam& optimizer_;
  Averages* averages_;  // may be null
  int64_t input_size_;
  LossOptions loss_;
  Parameters parameters_;
  Network network_;
  ImageReader images_;

  bool in_tensors_ = true;   // the tensors are newer than the buffers
  bool in_buffers_ = false;  // the buffers are newer than the tensors
  int64_t step_ = 0;
  const Split* split_ = nullptr;
  c10::ArrayRef<int32_t> order_;
  Augmentation augmentation_;
  double loss_sum_ = 0;
  std::vector<float> targets_, logits_;  // [B, L] of the batch
  std::vector<float> augmented_;         // [B, channels, S, S]
};

}  // namespace chestmnist::cpu
