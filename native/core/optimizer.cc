#include "core/optimizer.h"

#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

namespace chestmnist {

Adam::Adam(const std::vector<NamedTensor>& parameters, AdamOptions options) : options_(options) {
  at::NoGradGuard no_grad;
  step_ = at::zeros({}, parameters.front().tensor.options().dtype(at::kFloat).requires_grad(false));
  if (step_.is_cuda()) learning_rate_ = at::full({}, options.learning_rate, step_.options());
  state_.push_back({"step", step_});
  for (const auto& [name, tensor] : parameters) {
    parameters_.push_back(tensor);
    exp_avgs_.push_back(at::zeros_like(tensor));
    exp_avg_sqs_.push_back(at::zeros_like(tensor));
    steps_.push_back(step_);
    state_.push_back({"exp_avg." + name, exp_avgs_.back()});
    state_.push_back({"exp_avg_sq." + name, exp_avg_sqs_.back()});
  }
}

void Adam::prepare() {
  discard_gradients();
  if (learning_rate_.defined()) learning_rate_.fill_(options_.learning_rate);
}

void Adam::discard_gradients() {
  for (at::Tensor& parameter : parameters_) parameter.mutable_grad().reset();
}

void Adam::step() {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  gradients.reserve(parameters_.size());
  for (const at::Tensor& parameter : parameters_) {
    // The fused kernel reads memory in order, so a gradient must have its parameter's memory format.
    const at::Tensor& gradient = parameter.grad();
    gradients.push_back(gradient.strides() == parameter.strides() ? gradient
                                                                  : at::empty_like(parameter).copy_(gradient));
  }
  step_.add_(1);
  constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
  const auto update = [&](const auto& learning_rate) {
    if (options_.decoupled_weight_decay) {
      at::_fused_adamw_(parameters_, gradients, exp_avgs_, exp_avg_sqs_, /*max_exp_avg_sqs=*/{}, steps_, learning_rate,
                        kBeta1, kBeta2, options_.weight_decay, kEpsilon, /*amsgrad=*/false, /*maximize=*/false);
    } else {
      at::_fused_adam_(parameters_, gradients, exp_avgs_, exp_avg_sqs_, /*max_exp_avg_sqs=*/{}, steps_, learning_rate,
                       kBeta1, kBeta2, options_.weight_decay, kEpsilon, /*amsgrad=*/false, /*maximize=*/false);
    }
  };
  if (learning_rate_.defined()) {
    update(learning_rate_);
  } else {
    update(options_.learning_rate);
  }
  discard_gradients();
}

}  // namespace chestmnist
