// The interface of an execution: plain LibTorch operators (execution/plain.h), the same recorded as CUDA graphs
// (cuda/graphed.h), or the fast CPU kernels (cpu/execution.h). All compute the same function; core/training.cc runs any
// of them. The model's and the optimizer's tensors are the common form of the state: an execution with another form
// copies it out in flush(), and in again after reload().
#pragma once

#include <c10/util/ArrayRef.h>

#include <memory>

#include "core/averages.h"
#include "core/dataset.h"
#include "core/loss.h"
#include "core/optimizer.h"
#include "core/resnet.h"

namespace chestmnist {

class Execution {
 public:
  virtual ~Execution() = default;
  virtual const char* name() const = 0;

  // The samples that train_batch's positions refer to, and what happens to each image of the split.
  virtual void begin_epoch(const Split& split, c10::ArrayRef<int32_t> order, const Augmentation& augmentation) = 0;
  // Forward, backward and update on order[begin, end).
  virtual void train_batch(int64_t begin, int64_t end) = 0;
  // Sum of the loss over the epoch's samples so far; may wait for the device. Float losses are summed in double, which
  // is exact unless they differ by more than a factor of thousands: an epoch trained in parts has the same sum.
  virtual double loss_sum() = 0;
  // Call before the first predict_batch of a pass. Discards what a failed pass left.
  virtual void begin_prediction() = 0;
  // Writes logits of samples [begin, end) in evaluation mode, [end - begin, L] float32, to host memory. Batches and
  // their logits are contiguous. All are written after finish_prediction(), which may wait for the device.
  virtual void predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) = 0;
  virtual void finish_prediction() = 0;
  // Appends the evidence (ResNet18::evidence) of the samples that predict_batch has just had, [end - begin, L, s, s].
  virtual void append_evidence(const Split& split, int64_t begin, int64_t end, std::vector<float>& maps) = 0;

  // Loss of one batch in training mode. Leaves its gradients on the model's parameters and changes nothing else.
  virtual double backward(const Split& split, c10::ArrayRef<int32_t> order, const Augmentation& augmentation) = 0;

  virtual void flush() = 0;   // writes the current state to the tensors
  virtual void reload() = 0;  // call after the tensors were changed
};

enum class Precision {
  kFp32,
  kBf16,          // operands of products in bfloat16; the weights stay float32. Plain operators: bfloat16 autocast
  kEmulatedBf16,  // the same on a CPU without AMX, slowly: for tests
  kFp64,          // float64 throughout, with plain operators: for tests that measure the rounding of the others
};

struct ExecutionOptions {
  Stem stem = Stem::kTorchvision;
  LossOptions loss;
  int64_t channels = 1;  // of the images: gray, which is repeated to 3, or RGB
  int64_t input_size = 28;
  Precision precision = Precision::kFp32;
  bool exact = false;  // plain operators even where a faster execution exists
};

// The smallest training batch: BatchNorm has no variance with a single value, and the torchvision stem reduces images
// up to 32 px to a 1x1 map.
inline int64_t smallest_batch(const ExecutionOptions& options) {
  return options.stem == Stem::kTorchvision && options.input_size <= 32 ? 2 : 1;
}

// The fastest execution that the device, the precision and this processor allow. `averages` may be null.
std::unique_ptr<Execution> make_execution(ResNet18& model, Adam& optimizer, Averages* averages,
                                          const ExecutionOptions& options);

}  // namespace chestmnist
