// One way to execute the network of a model: plain LibTorch operators (execution/plain.h), the same recorded as CUDA
// graphs (cuda/graphed.h), or the fast CPU kernels (cpu/execution.h). All compute the same function; core/training.cc
// runs any. The model's and the optimizer's tensors are the common form of the state: an execution that keeps it
// elsewhere copies it in reload() and out in flush().
#pragma once

#include <c10/util/ArrayRef.h>

#include <memory>

#include "core/dataset.h"
#include "core/optimizer.h"
#include "core/resnet.h"

namespace chestmnist {

class Execution {
 public:
  virtual ~Execution() = default;
  virtual const char* name() const = 0;

  // The samples that train_batch's positions refer to.
  virtual void begin_epoch(const Split& split, c10::ArrayRef<int32_t> order) = 0;
  // Forward, backward and update on order[begin, end).
  virtual void train_batch(int64_t begin, int64_t end) = 0;
  // Sum over the epoch's samples so far of their loss; may wait for the device. Of float losses in double: exact, so
  // an epoch trained in parts has the same sum, unless losses differ by more than a factor of thousands.
  virtual double loss_sum() = 0;
  // Before the first predict_batch of a pass: what one that failed left is forgotten.
  virtual void begin_prediction() = 0;
  // Logits of samples [begin, end) in evaluation mode, [end - begin, L] float32 to host memory. Batches follow one
  // another, and so do their logits; they are all there after finish_prediction(), which may wait for the device.
  virtual void predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) = 0;
  virtual void finish_prediction() = 0;

  // Loss of one batch in training mode; its gradients are left on the model's parameters, all else is as before.
  virtual double backward(const Split& split, c10::ArrayRef<int32_t> order) = 0;

  virtual void flush() = 0;   // the tensors hold the current state
  virtual void reload() = 0;  // the tensors were changed
};

enum class Precision {
  kFp32,
  kBf16,  // bfloat16 autocast; the weights stay float32
  kFp64,  // float64 throughout, by plain operators: what tests measure the rounding of the others against
};

struct ExecutionOptions {
  Stem stem = Stem::kTorchvision;
  int64_t input_size = 28;
  Precision precision = Precision::kFp32;
  bool exact = false;  // plain operators even where a faster execution exists
};

// Images a training batch must have: BatchNorm has no variance of a single value, and the torchvision stem leaves a
// 1x1 map of images up to 32 px.
inline int64_t smallest_batch(const ExecutionOptions& options) {
  return options.stem == Stem::kTorchvision && options.input_size <= 32 ? 2 : 1;
}

// The fastest execution that the device, the precision and this processor allow.
std::unique_ptr<Execution> make_execution(ResNet18& model, Adam& optimizer, const ExecutionOptions& options);

}  // namespace chestmnist
