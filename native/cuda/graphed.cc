#include "cuda/graphed.h"

#include <ATen/ops/arange.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

namespace chestmnist {

namespace {

constexpr int kWarmUp = 3;
// More batch sizes than a run has. Further sizes run unrecorded.
constexpr size_t kMostRecords = 8;

std::vector<at::Tensor*> tensors_of(Samples& samples) {
  std::vector<at::Tensor*> tensors{&samples.index};
  for (Augmentation* rows : {&samples.own, &samples.of_partners}) {
    for (at::Tensor* tensor : {&rows->geometry, &rows->intensity, &rows->erased, &rows->partners, &rows->shares}) {
      tensors.push_back(tensor);
    }
  }
  return tensors;
}

Samples clone(Samples samples) {
  for (at::Tensor* tensor : tensors_of(samples)) {
    if (tensor->defined()) *tensor = tensor->clone();
  }
  return samples;
}

// Fills the memory of `to`. False, and nothing is copied, where the two do not have the same parts.
bool copy(Samples from, Samples& to) {
  const auto sources = tensors_of(from), targets = tensors_of(to);
  for (size_t i = 0; i < sources.size(); ++i) {
    if (sources[i]->defined() != targets[i]->defined()) return false;
  }
  for (size_t i = 0; i < sources.size(); ++i) {
    if (sources[i]->defined()) targets[i]->copy_(*sources[i]);
  }
  return true;
}

}  // namespace

GraphedExecution::Recorded* GraphedExecution::replay(Records& records, const Split& split, const Samples& samples,
                                                     const Work& work) {
  if (capture_ == nullptr) return nullptr;
  forget_unloaded();
  const std::pair key(split.images.const_data_ptr(), samples.index.numel());
  if (!records.contains(key)) {
    if (records.size() == kMostRecords) return nullptr;
    records.emplace(key, Recorded{Weak(split.images.getIntrusivePtr()), {}});
  }
  Recorded& recorded = records.at(key);
  // One trainer may be given an augmentation in one call and none in the next.
  if (!copy(samples, recorded.samples)) {
    recorded.graph.reset();
    recorded.samples = clone(samples);
  }
  if (recorded.warm < kWarmUp) {
    ++recorded.warm;
    return nullptr;
  }
  if (!recorded.graph && !record(recorded, work)) return nullptr;
  recorded.graph->replay();
  return &recorded;
}

bool GraphedExecution::record(Recorded& recorded, const Work& work) {
  try {
    recorded.graph.reset(capture_(recorded.samples.index.device(), pool_, [&] { work(recorded); }));
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
  const Samples batch = samples(begin, end);
  const auto work = [this](Recorded& recorded) { step(split(), recorded.samples); };
  if (replay(training_, split(), batch, work) == nullptr) step(split(), batch);
}

void GraphedExecution::predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) {
  const c10::InferenceMode inference;
  const at::Tensor index = at::arange(begin, end, split.images.options().dtype(at::kLong));
  // Images passed in for one call are not worth recording.
  if (!split.labels.defined()) return keep(evaluate(split, index), logits);
  const auto work = [&](Recorded& recorded) { recorded.logits = evaluate(split, recorded.samples.index); };
  const Recorded* recorded = replay(predictions_, split, {index, {}}, work);
  keep(recorded ? recorded->logits.clone() : evaluate(split, index), logits);
}

}  // namespace chestmnist
