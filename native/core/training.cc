#include "core/training.h"

#include <algorithm>
#include <chrono>

namespace chestmnist {

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

int64_t steps_of(int64_t total, int64_t batch_size) {
  const int64_t whole = (total + batch_size - 1) / batch_size;
  return whole > 1 && total % batch_size == 1 ? whole - 1 : whole;
}

EpochResult train_epoch(Execution& execution, Adam& optimizer, const Split& split, const EpochInputs& inputs,
                        const Hooks& hooks) {
  const auto start = Clock::now();
  const auto& [order, batch_size, learning_rates, augmentation] = inputs;
  const auto total = static_cast<int64_t>(order.size());
  EpochResult result;
  const auto progress = [&] {
    result.progress.loss_sum = execution.loss_sum();
    result.progress.loss = result.progress.samples ? result.progress.loss_sum / result.progress.samples : 0;
    result.progress.seconds = seconds_since(start);
    return result.progress;
  };
  execution.begin_epoch(split, order, augmentation);
  for (int64_t begin = 0, end = 0; begin < total; begin = end) {
    if (hooks.cancelled()) {
      result.cancelled = true;
      break;
    }
    end = std::min(begin + batch_size, total);
    if (total - end == 1) end = total;
    if (!learning_rates.empty()) optimizer.set_learning_rate(learning_rates[result.progress.steps]);
    execution.train_batch(begin, end);
    result.progress.samples = end;
    ++result.progress.steps;
    if (hooks.wants_progress()) hooks.report(progress());
  }
  progress();
  return result;
}

Prediction predict(Execution& execution, const Split& split, int64_t label_count, int64_t batch_size, bool evidence,
                   const Hooks& hooks) {
  const auto start = Clock::now();
  const int64_t total = split.count();
  Prediction result;
  result.logits.resize(total * label_count);
  execution.begin_prediction();
  while (result.samples < total && !(result.cancelled = hooks.cancelled())) {
    const int64_t end = std::min(result.samples + batch_size, total);
    execution.predict_batch(split, result.samples, end, result.logits.data() + result.samples * label_count);
    if (evidence) execution.append_evidence(split, result.samples, end, result.evidence);
    result.samples = end;
    if (hooks.wants_progress()) hooks.report({end, 0, 0, 0, seconds_since(start)});
  }
  execution.finish_prediction();
  result.logits.resize(result.samples * label_count);
  result.seconds = seconds_since(start);
  return result;
}

}  // namespace chestmnist
