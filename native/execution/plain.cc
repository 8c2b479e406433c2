#include "execution/plain.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <cstring>

namespace chestmnist {

namespace {

// bfloat16 autocast for the lifetime of the object, if `enabled`; the weights stay float32.
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

at::Tensor on_device(const Split& split, c10::ArrayRef<int32_t> order) {
  return at::from_blob(const_cast<int32_t*>(order.data()), {static_cast<int64_t>(order.size())}, at::kInt)
      .to(split.images.device(), at::kLong);
}

}  // namespace

PlainExecution::PlainExecution(ResNet18& model, Adam& optimizer, Averages* averages, const ExecutionOptions& options)
    : model_(model),
      optimizer_(optimizer),
      averages_(averages),
      options_(options),
      dtype_(model.parameters().front().tensor.scalar_type()),
      loss_sum_(at::zeros({}, model.parameters().front().tensor.options().dtype(at::kDouble).requires_grad(false))) {
  const std::vector<float>& weights = options.loss.weights;
  if (!weights.empty()) label_weights_ = at::tensor(weights).to(loss_sum_.device(), dtype_);
}

at::Tensor PlainExecution::forward(const at::Tensor& images, bool training) const {
  const Autocast autocast(options_.precision == Precision::kBf16, images.device().type());
  return model_.forward(images, training).to(dtype_);
}

at::Tensor PlainExecution::loss(const Batch& batch) const {
  return loss_of(forward(batch.images, /*training=*/true), batch.labels, label_weights_, options_.loss);
}

void PlainExecution::begin_epoch(const Split& split, c10::ArrayRef<int32_t> order, const Augmentation& augmentation) {
  split_ = &split;
  augmentation_ = augmentation;
  order_ = on_device(split, order);
  loss_sum_.zero_();
  discard_gradients();
}

void PlainExecution::step(const Split& split, const Samples& samples) {
  const at::Tensor loss = this->loss(gather(split, samples, options_.input_size, dtype_));
  loss.backward();
  optimizer_.step();
  if (averages_ != nullptr) averages_->update();
  loss_sum_.add_(loss.detach(), samples.index.numel());
}

void PlainExecution::train_batch(int64_t begin, int64_t end) { step(*split_, samples(begin, end)); }

double PlainExecution::loss_sum() { return loss_sum_.item<double>(); }

void PlainExecution::predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) {
  const c10::InferenceMode inference;
  keep(evaluate(split, at::arange(begin, end, split.images.options().dtype(at::kLong))), logits);
}

at::Tensor PlainExecution::evaluate(const Split& split, const at::Tensor& index) const {
  return forward(gather(split, {index, {}}, options_.input_size, dtype_).images, /*training=*/false);
}

void PlainExecution::keep(const at::Tensor& on_device, float* logits) {
  if (kept_.empty()) kept_logits_ = logits;
  kept_.push_back(on_device);
  // On the CPU the logits are ready.
  if (on_device.is_cpu()) finish_prediction();
}

void PlainExecution::finish_prediction() {
  if (kept_.empty()) return;
  const c10::InferenceMode inference;
  const at::Tensor host = at::cat(kept_).to(at::kCPU, at::kFloat).contiguous();
  std::memcpy(kept_logits_, host.const_data_ptr<float>(), host.nbytes());
  kept_.clear();
}

void PlainExecution::append_evidence(const Split& split, int64_t begin, int64_t end, std::vector<float>& maps) {
  const c10::InferenceMode inference;
  const at::Tensor index = at::arange(begin, end, split.images.options().dtype(at::kLong));
  const Autocast autocast(options_.precision == Precision::kBf16, index.device().type());
  const at::Tensor images = gather(split, {index, {}}, options_.input_size, dtype_).images;
  const at::Tensor host = model_.evidence(images).to(at::kCPU, at::kFloat).contiguous();
  maps.insert(maps.end(), host.const_data_ptr<float>(), host.const_data_ptr<float>() + host.numel());
}

double PlainExecution::backward(const Split& split, c10::ArrayRef<int32_t> order, const Augmentation& augmentation) {
  std::vector<at::Tensor> buffers;
  for (const auto& [name, tensor] : model_.state()) {
    if (!tensor.requires_grad()) buffers.push_back(tensor.clone());
  }
  const Samples samples = Samples::at(on_device(split, order), augmentation);
  const at::Tensor loss = this->loss(gather(split, samples, options_.input_size, dtype_));
  loss.backward();
  auto before = buffers.begin();
  for (const auto& [name, tensor] : model_.state()) {
    if (!tensor.requires_grad()) tensor.copy_(*before++);
  }
  return loss.item<double>();
}

}  // namespace chestmnist
