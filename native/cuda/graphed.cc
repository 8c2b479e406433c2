#include "cuda/graphed.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

namespace chestmnist {

namespace {

constexpr int kWarmUp = 3;
// More batch sizes than a run has. Further sizes run unrecorded.
constexpr size_t kMostRecords = 8;

}  // namespace

GraphedExecution::Recorded* GraphedExecution::replay(Records& records, const Split& split, const at::Tensor& index,
                                                     const Work& work) {
  if (capture_ == nullptr) return nullptr;
  forget_unloaded();
  const std::pair key(split.images.const_data_ptr(), index.numel());
  if (!records.contains(key)) {
    if (records.size() == kMostRecords) return nullptr;
    records.emplace(key, Recorded{Weak(split.images.getIntrusivePtr()), at::empty_like(index)});
  }
  Recorded& recorded = records.at(key);
  if (recorded.warm < kWarmUp) {
    ++recorded.warm;
    return nullptr;
  }
  recorded.index.copy_(index);
  if (!recorded.graph && !record(recorded, work)) return nullptr;
  recorded.graph->replay();
  return &recorded;
}

bool GraphedExecution::record(Recorded& recorded, const Work& work) {
  try {
    recorded.graph.reset(capture_(recorded.index.device(), pool_, [&] { work(recorded); }));
    return true;
  } catch (const c10::Error& error) {
    TORCH_WARN("chestmnist: a step could not be recorded as a CUDA graph, so the rest runs kernel by kernel: ",
               error.what_without_backtrace());
    capture_ = nullptr;
    training_.clear();
    predictions_.clear();
    discard_gradients();
    return false;
  }
}

void GraphedExecution::forget_unloaded() {
  for (Records* const records : {&training_, &predictions_}) {
    std::erase_if(*records, [](const auto& entry) { return entry.second.images.expired(); });
  }
  if (training_.empty() && predictions_.empty()) pool_ = {0, 0};  // freed with its last graph
}

void GraphedExecution::train_batch(int64_t begin, int64_t end) {
  const at::Tensor index = samples(begin, end);
  const auto work = [this](Recorded& recorded) { step(split(), recorded.index); };
  if (replay(training_, split(), index, work) == nullptr) step(split(), index);
}

void GraphedExecution::predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) {
  const c10::InferenceMode inference;
  const at::Tensor index = at::arange(begin, end, split.images.options().dtype(at::kLong));
  // Images passed in for one call are not worth recording.
  if (!split.labels.defined()) return keep(evaluate(split, index), logits);
  const auto work = [&](Recorded& recorded) { recorded.logits = evaluate(split, recorded.index); };
  const Recorded* recorded = replay(predictions_, split, index, work);
  keep(recorded ? recorded->logits.clone() : evaluate(split, index), logits);
}

}  // namespace chestmnist
