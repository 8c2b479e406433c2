#include "core/averages.h"

#include <c10/core/GradMode.h>

#include <algorithm>

namespace chestmnist {

Averages::Averages(const ResNet18& model, const Adam& optimizer, double decay)
    : decay_(decay), step_(optimizer.state().front().tensor), model_(model.state()) {
  at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : model_) {
    state_.push_back({name, tensor.detach().clone()});
    if (tensor.requires_grad()) parameters_.push_back(state_.back());
  }
}

double Averages::weight_after(int64_t step) const {
  const auto k = static_cast<double>(step);
  return 1 - std::min(decay_, (1 + k) / (10 + k));
}

void Averages::update() {
  at::NoGradGuard no_grad;
  // 1 - min(decay, (1 + k) / (10 + k)) = max(1 - decay, 9 / (10 + k)).
  const at::Tensor weight = step_.add(10).reciprocal_().mul_(9).clamp_min_(1 - decay_);
  for (size_t i = 0; i < model_.size(); ++i) {
    at::Tensor& average = state_[i].tensor;
    if (average.is_floating_point()) {
      average.lerp_(model_[i].tensor.detach(), weight.to(average.scalar_type()));
    } else {
      average.copy_(model_[i].tensor);  // the number of batches
    }
  }
}

void Averages::update_buffers(double weight) {
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < model_.size(); ++i) {
    if (model_[i].tensor.requires_grad()) continue;
    if (model_[i].tensor.is_floating_point()) {
      state_[i].tensor.lerp_(model_[i].tensor, weight);
    } else {
      state_[i].tensor.copy_(model_[i].tensor);
    }
  }
}

void Averages::reset() {
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < model_.size(); ++i) state_[i].tensor.copy_(model_[i].tensor);
}

void Averages::swap() {
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < model_.size(); ++i) {
    const at::Tensor kept = model_[i].tensor.detach().clone();
    model_[i].tensor.copy_(state_[i].tensor);
    state_[i].tensor.copy_(kept);
  }
}

}  // namespace chestmnist
