// One epoch and one prediction pass in plain LibTorch. Pure functions of their arguments: the order of the samples
// comes from outside, nothing random happens here. Not here: threads and promises (job.h), the schedule (TypeScript).
#pragma once

#include <c10/util/ArrayRef.h>

#include <functional>

#include "dataset.h"
#include "optimizer.h"
#include "resnet.h"

namespace chestmnist {

struct Progress {
  int64_t samples = 0;
  int64_t steps = 0;
  double loss = 0;  // mean over `samples`
  double seconds = 0;
};

// What a running pass asks its caller: both are called between batches, on the pass's own thread.
struct Hooks {
  std::function<bool()> cancelled;
  std::function<bool()> wants_progress;
  std::function<void(const Progress&)> report;
};

struct PassOptions {
  int64_t batch_size = 128;
  int64_t input_size = 28;
  bool bf16 = false;
};

struct EpochResult {
  Progress progress;
  bool cancelled = false;
};

// Trains on the samples `order` (indices into the split), batch by batch. A last batch of one sample joins the batch
// before it, since BatchNorm has no variance of one value at 1x1.
EpochResult train_epoch(const ResNet18& model, Adam& optimizer, const Split& split, c10::ArrayRef<int32_t> order,
                        const PassOptions& options, const Hooks& hooks);

struct Prediction {
  at::Tensor logits;  // [N, L] float32 on the CPU
  double seconds = 0;
  bool cancelled = false;
};

// Logits of the whole split in evaluation mode.
Prediction predict(const ResNet18& model, const Split& split, const PassOptions& options, const Hooks& hooks);

// Loss of the samples as one batch in training mode, with the gradients left on the parameters. The running
// statistics are as before.
double backward(const ResNet18& model, const Split& split, c10::ArrayRef<int32_t> order, const PassOptions& options);

}  // namespace chestmnist
