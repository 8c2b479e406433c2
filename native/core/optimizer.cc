#include "core/optimizer.h"

#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

namespace chestmnist {

Adam::Adam(const std::vector<NamedTensor>& parameters, AdamOptions options) : options_(options) {
  at::NoGradGuard no_grad;
  step_ = at::zeros({}, parameters.front().tensor.options().dtype(at::kFloat).requires_grad(false));
  if (step_.is_cuda()) learning_rate_ = at::full({}, options.learning_rate, step_.options());
  state_.push_back({"step", step_});
  groups_.push_back({options.weight_decay, {}, {}, {}, {}});
  const bool two_groups = options.weight_decay != 0 && !options.decay_norms;
  if (two_groups) groups_.push_back({0, {}, {}, {}, {}});
  for (const auto& [name, tensor] : parameters) {
    Group& group = groups_[two_groups && tensor.dim() == 1 ? 1 : 0];
    group.parameters.push_back(tensor);
    group.exp_avgs.push_back(at::zeros_like(tensor));
    group.exp_avg_sqs.push_back(at::zeros_like(tensor));
    group.steps.push_back(step_);
    state_.push_back({"exp_avg." + name, group.exp_avgs.back()});
    state_.push_back({"exp_avg_sq." + name, group.exp_avg_sqs.back()});
  }
}

void Adam::set_learning_rate(double learning_rate) {
  if (options_.learning_rate == learning_rate) return;
  options_.learning_rate = learning_rate;
  if (learning_rate_.defined()) learning_rate_.fill_(learning_rate);
}

void Adam::discard_gradients() {
  for (Group& group : groups_) {
    for (at::Tensor& parameter : group.parameters) parameter.mutable_grad().reset();
  }
}

void Adam::step() {
  at::NoGradGuard no_grad;
  std::vector<std::vector<at::Tensor>> gradients;
  std::vector<at::Tensor> all;
  for (const Group& group : groups_) {
    std::vector<at::Tensor>& of_group = gradients.emplace_back();
    for (const at::Tensor& parameter : group.parameters) {
      // The fused kernel reads memory in order, so a gradient must have its parameter's memory format.
      const at::Tensor& gradient = parameter.grad();
      of_group.push_back(gradient.strides() == parameter.strides() ? gradient
                                                                   : at::empty_like(parameter).copy_(gradient));
    }
    all.insert(all.end(), of_group.begin(), of_group.end());
  }
  if (options_.clip_norm > 0) {
    const at::Tensor norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(all)));
    at::_foreach_mul_(all, norm.add(1e-6).reciprocal_().mul_(options_.clip_norm).clamp_max_(1));
  }
  step_.add_(1);
  constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
  const auto update = [&](const Group& group, const std::vector<at::Tensor>& of_group, const auto& learning_rate) {
    const auto with = [&](auto step) {
      step(group.parameters, of_group, group.exp_avgs, group.exp_avg_sqs, /*max_exp_avg_sqs=*/at::TensorList(),
           group.steps, learning_rate, kBeta1, kBeta2, group.weight_decay, kEpsilon, /*amsgrad=*/false,
           /*maximize=*/false);
    };
    if (options_.decoupled_weight_decay) {
      with([](const auto&... arguments) { at::_fused_adamw_(arguments...); });
    } else {
      with([](const auto&... arguments) { at::_fused_adam_(arguments...); });
    }
  };
  for (size_t i = 0; i < groups_.size(); ++i) {
    if (learning_rate_.defined()) {
      update(groups_[i], gradients[i], learning_rate_);
    } else {
      update(groups_[i], gradients[i], options_.learning_rate);
    }
  }
  discard_gradients();
}

}  // namespace chestmnist
