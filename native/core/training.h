// One epoch and one prediction pass: the loop over batches, with progress and cancelling between them. The order of
// the samples is an argument and nothing random happens here. Not here: what a batch does (execution.h), threads and
// promises (job.h), the schedule (TypeScript).
#pragma once

#include <functional>
#include <vector>

#include "execution/execution.h"

namespace chestmnist {

struct Progress {
  int64_t samples = 0;
  int64_t steps = 0;
  double loss_sum = 0;  // over `samples`; the sums of an epoch's parts add up exactly (see Execution::loss_sum)
  double loss = 0;      // mean over `samples`
  double seconds = 0;
};

// Callbacks of a running pass, called between batches on the pass's own thread.
struct Hooks {
  std::function<bool()> cancelled;
  std::function<bool()> wants_progress;
  std::function<void(const Progress&)> report;
};

struct EpochResult {
  Progress progress;
  bool cancelled = false;
};

// What an epoch, or a part of one, trains with.
struct EpochInputs {
  std::vector<int32_t> order;  // indices into the split
  int64_t batch_size = 0;
  std::vector<double> learning_rates;  // one per step; empty for the optimizer's
  Augmentation augmentation = {};
};

// The number of batches of `total` samples. A last batch of one sample joins the batch before it, since BatchNorm on a
// 1x1 map has no variance with a single value.
int64_t steps_of(int64_t total, int64_t batch_size);

// Trains on the samples in their order, batch by batch.
EpochResult train_epoch(Execution& execution, Adam& optimizer, const Split& split, const EpochInputs& inputs,
                        const Hooks& hooks);

struct Prediction {
  std::vector<float> logits;    // [samples, L]
  std::vector<float> evidence;  // [samples, L, s, s], if it was asked for
  int64_t samples = 0;
  double seconds = 0;
  bool cancelled = false;
};

// Logits of the whole split in evaluation mode, and the evidence for them if it is wanted.
Prediction predict(Execution& execution, const Split& split, int64_t label_count, int64_t batch_size, bool evidence,
                   const Hooks& hooks);

}  // namespace chestmnist
