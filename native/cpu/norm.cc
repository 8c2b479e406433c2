#include "cpu/norm.h"

#include <algorithm>
#include <cmath>

namespace chestmnist::cpu {

namespace {

constexpr double kMomentum = 0.1, kEpsilon = 1e-5;

}  // namespace

Norm::Norm(const Kernels& kernels, Parameters& parameters, const std::string& name, int64_t channels, int64_t positions)
    : kernels_(kernels),
      channels_(channels),
      positions_(positions),
      weight_(parameters.add_vector(name + ".weight", channels)),
      bias_(parameters.add_vector(name + ".bias", channels)),
      sums_(positions * 2 * channels),
      mean_(channels),
      inverse_std_(channels),
      scale_(channels),
      offset_(channels) {}

void Norm::collect(int64_t position, int64_t panel, const float* block, int64_t batch) {
  double* to = sums(position) + panel * kernels_.panel;
  kernels_.moments(block, batch, to, to + channels_);
}

void Norm::use_batch(Parameters& parameters, const float* x, int64_t batch) {
  float* running_means = running_mean.mutable_data_ptr<float>();
  float* running_vars = running_var.mutable_data_ptr<float>();
  const int64_t panel = kernels_.panel;
  const auto rows = static_cast<double>(batch), n = rows * static_cast<double>(positions_);
  std::vector<double> means(positions_);
  for (int64_t c = 0; c < channels_; ++c) {
    // Each block's sums are relative to its first row, so that a mean far from zero does not cancel the digits of the
    // variance. Blocks are combined by the formula of Chan, Golub and LeVeque.
    double mean = 0, squares = 0;
    for (int64_t position = 0; position < positions_; ++position) {
      const double shift = x[(position * (channels_ / panel) + c / panel) * batch * panel + c % panel];
      const double sum = sums(position)[c];
      means[position] = shift + sum / rows;
      mean += means[position] / static_cast<double>(positions_);
      squares += sums(position)[channels_ + c] - sum * sum / rows;
    }
    for (const double of_block : means) squares += rows * (of_block - mean) * (of_block - mean);
    double variance = squares / n;
    if (variance < 0) variance = 0;  // by rounding only; a NaN stays NaN
    mean_[c] = static_cast<float>(mean);
    inverse_std_[c] = static_cast<float>(1 / std::sqrt(variance + kEpsilon));
    running_means[c] = static_cast<float>((1 - kMomentum) * running_means[c] + kMomentum * mean);
    running_vars[c] = static_cast<float>((1 - kMomentum) * running_vars[c] + kMomentum * variance * n / (n - 1));
  }
  num_batches_tracked.add_(1);
  set_scale(parameters);
}

void Norm::use_running(Parameters& parameters) {
  const float* variances = running_var.const_data_ptr<float>();
  std::copy_n(running_mean.const_data_ptr<float>(), channels_, mean_.data());
  for (int64_t c = 0; c < channels_; ++c) {
    inverse_std_[c] = static_cast<float>(1 / std::sqrt(variances[c] + kEpsilon));
  }
  set_scale(parameters);
}

void Norm::set_scale(Parameters& parameters) {
  const float *weight = parameters.weights(weight_), *bias = parameters.weights(bias_);
  for (int64_t c = 0; c < channels_; ++c) {
    scale_[c] = weight[c] * inverse_std_[c];
    offset_[c] = bias[c] - mean_[c] * scale_[c];
  }
}

void Norm::apply(int64_t panel, const float* x, const float* residual, bool relu, int64_t batch, float* y) const {
  kernels_.affine(x, residual, relu, batch, scale(panel), offset(panel), y);
}

void Norm::apply_all(const float* x, const float* residual, bool relu, int64_t batch, float* y) const {
  const int64_t panels = channels_ / kernels_.panel, size = batch * kernels_.panel;
  share_out(positions_ * panels, [&](int64_t task) {
    const int64_t at = task * size;
    apply(task % panels, x + at, residual ? residual + at : nullptr, relu, batch, y + at);
  });
}

void Norm::collect_gradient(int64_t position, int64_t panel, float* dy, const float* y, const float* x, int64_t batch) {
  const int64_t c = panel * kernels_.panel;
  kernels_.norm_reduce(dy, y, x, batch, mean_.data() + c, sums(position) + c, sums(position) + channels_ + c);
}

void Norm::backward(Parameters& parameters, const float* dy, const float* x, int64_t batch, float* dx) {
  // dx = weight/std * (dy - mean(dy) - xhat * mean(dy * xhat)), written as by_dy * dy + by_x * (x - mean) + offset.
  const float* weight = parameters.weights(weight_);
  float *weight_gradient = parameters.gradients(weight_), *bias_gradient = parameters.gradients(bias_);
  const auto n = static_cast<double>(batch * positions_);
  std::vector<float> by_dy(channels_), by_x(channels_), offset(channels_);
  for (int64_t c = 0; c < channels_; ++c) {
    double sum = 0, dot = 0;
    for (int64_t position = 0; position < positions_; ++position) {
      sum += sums(position)[c];
      dot += sums(position)[channels_ + c];
    }
    const double inverse_std = inverse_std_[c], scale = weight[c] * inverse_std;
    bias_gradient[c] = static_cast<float>(sum);
    weight_gradient[c] = static_cast<float>(dot * inverse_std);
    by_dy[c] = static_cast<float>(scale);
    by_x[c] = static_cast<float>(-scale * inverse_std * inverse_std * dot / n);
    offset[c] = static_cast<float>(-scale * sum / n);
  }
  const int64_t panels = channels_ / kernels_.panel;
  share_out(positions_ * panels, [&](int64_t task) {
    const int64_t at = task * batch * kernels_.panel, c = task % panels * kernels_.panel;
    kernels_.norm_apply(dy + at, x + at, batch, mean_.data() + c, by_dy.data() + c, by_x.data() + c, offset.data() + c,
                        dx + at);
  });
}

}  // namespace chestmnist::cpu
