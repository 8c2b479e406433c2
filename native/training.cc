#include "training.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace chestmnist {

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// bfloat16 autocast for the lifetime of the object, when `enabled`; the weights stay float32.
class Autocast {
 public:
  Autocast(bool enabled, at::DeviceType device) : enabled_(enabled), device_(device) {
    if (!enabled_) return;
    at::autocast::set_autocast_enabled(device_, true);
    at::autocast::set_autocast_dtype(device_, at::kBFloat16);
    at::autocast::increment_nesting();
  }
  ~Autocast() {
    if (!enabled_) return;
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, false);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool enabled_;
  at::DeviceType device_;
};

at::Tensor forward(const ResNet18& model, const at::Tensor& images, bool training, bool bf16) {
  const Autocast autocast(bf16, images.device().type());
  return model.forward(images, training).to(at::kFloat);
}

at::Tensor criterion(const at::Tensor& logits, const at::Tensor& labels) {
  return at::binary_cross_entropy_with_logits(logits, labels);
}

// The order as indices on the split's device.
at::Tensor indices(c10::ArrayRef<int32_t> order, const Split& split) {
  return at::from_blob(const_cast<int32_t*>(order.data()), {static_cast<int64_t>(order.size())}, at::kInt)
      .to(split.images.device(), at::kLong);
}

int64_t batch_end(int64_t begin, int64_t batch_size, int64_t total) {
  const int64_t end = std::min(begin + batch_size, total);
  return total - end == 1 ? total : end;
}

}  // namespace

EpochResult train_epoch(const ResNet18& model, Adam& optimizer, const Split& split, c10::ArrayRef<int32_t> order,
                        const PassOptions& options, const Hooks& hooks) {
  const auto start = Clock::now();
  const at::Tensor index = indices(order, split);
  const int64_t total = index.size(0);
  // The sum stays on the device: reading it would make the host wait, so it is read for reports and at the end only.
  at::Tensor loss_sum = at::zeros({}, split.images.options().dtype(at::kDouble));

  EpochResult result;
  const auto progress = [&] {
    result.progress.loss = result.progress.samples ? loss_sum.item<double>() / result.progress.samples : 0;
    result.progress.seconds = seconds_since(start);
    return result.progress;
  };
  for (int64_t begin = 0, end = 0; begin < total; begin = end) {
    if (hooks.cancelled()) {
      result.cancelled = true;
      break;
    }
    end = batch_end(begin, options.batch_size, total);
    const Batch batch = gather(split, index.slice(0, begin, end), options.input_size);
    const at::Tensor loss = criterion(forward(model, batch.images, /*training=*/true, options.bf16), batch.labels);
    loss.backward();
    optimizer.step();
    loss_sum.add_(loss.detach(), end - begin);
    result.progress.samples = end;
    ++result.progress.steps;
    if (hooks.wants_progress()) hooks.report(progress());
  }
  progress();
  return result;
}

Prediction predict(const ResNet18& model, const Split& split, const PassOptions& options, const Hooks& hooks) {
  const auto start = Clock::now();
  const c10::InferenceMode inference;
  const int64_t total = split.count();
  const at::Tensor index = at::arange(total, split.images.options().dtype(at::kLong));
  std::vector<at::Tensor> parts;
  Prediction result;
  for (int64_t begin = 0; begin < total; begin += options.batch_size) {
    if (hooks.cancelled()) {
      result.cancelled = true;
      break;
    }
    const int64_t end = std::min(begin + options.batch_size, total);
    const Batch batch = gather(split, index.slice(0, begin, end), options.input_size);
    parts.push_back(forward(model, batch.images, /*training=*/false, options.bf16));
    if (hooks.wants_progress()) hooks.report({end, 0, 0, seconds_since(start)});
  }
  result.logits = parts.empty() ? at::empty({0}) : at::cat(parts).cpu();
  result.seconds = seconds_since(start);
  return result;
}

double backward(const ResNet18& model, const Split& split, c10::ArrayRef<int32_t> order, const PassOptions& options) {
  std::vector<at::Tensor> kept;
  for (const auto& [name, tensor] : model.state()) {
    if (!tensor.requires_grad()) kept.push_back(tensor.clone());
  }
  const Batch batch = gather(split, indices(order, split), options.input_size);
  const at::Tensor loss = criterion(forward(model, batch.images, /*training=*/true, options.bf16), batch.labels);
  loss.backward();
  auto before = kept.begin();
  for (const auto& [name, tensor] : model.state()) {
    if (!tensor.requires_grad()) tensor.copy_(*before++);
  }
  return loss.item<double>();
}

}  // namespace chestmnist
