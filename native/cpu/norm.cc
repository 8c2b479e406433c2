#include "norm.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

namespace chestmnist::cpu {

namespace {

constexpr double kMomentum = 0.1, kEpsilon = 1e-5;

// f(begin, end, which) over even parts of the rows, one a thread: the parts, and so the sums, depend on the number of
// threads alone.
template <typename F>
void in_parts(int64_t rows, F f) {
  const int64_t parts = at::get_num_threads();
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(i * rows / parts, (i + 1) * rows / parts, i);
  });
}

// The two sums of every channel over all rows; f(begin, end, sums, others) adds up a part.
template <typename F>
std::vector<double> sums_of(int64_t rows, int64_t channels, F f) {
  std::vector<double> parts(at::get_num_threads() * 2 * channels);
  in_parts(rows, [&](int64_t begin, int64_t end, int64_t i) {
    double* sums = parts.data() + i * 2 * channels;
    f(begin, end, sums, sums + channels);
  });
  for (size_t i = 2 * channels; i < parts.size(); ++i) parts[i % (2 * channels)] += parts[i];
  return parts;
}

}  // namespace

Norm::Norm(const Kernels& kernels, Parameters& parameters, const std::string& name, int64_t channels)
    : kernels_(kernels),
      channels_(channels),
      weight_(parameters.add_vector(name + ".weight", channels)),
      bias_(parameters.add_vector(name + ".bias", channels)),
      mean_(channels),
      inverse_std_(channels) {}

void Norm::statistics(const float* x, int64_t rows) {
  // Around the first row, so that a mean far from zero does not eat the digits of the variance.
  const std::vector<double> sums =
      sums_of(rows, channels_, [&](int64_t begin, int64_t end, double* values, double* squares) {
        kernels_.moments(x + begin * channels_, end - begin, channels_, x, values, squares);
      });
  float* running_means = running_mean.mutable_data_ptr<float>();
  float* running_vars = running_var.mutable_data_ptr<float>();
  const auto n = static_cast<double>(rows);
  for (int64_t c = 0; c < channels_; ++c) {
    const double shifted = sums[c] / n;
    const double mean = x[c] + shifted;
    double variance = sums[channels_ + c] / n - shifted * shifted;
    if (variance < 0) variance = 0;  // by rounding only; a NaN stays one
    mean_[c] = static_cast<float>(mean);
    inverse_std_[c] = static_cast<float>(1 / std::sqrt(variance + kEpsilon));
    running_means[c] = static_cast<float>((1 - kMomentum) * running_means[c] + kMomentum * mean);
    running_vars[c] = static_cast<float>((1 - kMomentum) * running_vars[c] + kMomentum * variance * n / (n - 1));
  }
  num_batches_tracked.add_(1);
}

void Norm::forward(Parameters& parameters, bool training, const float* x, int64_t rows, const float* residual,
                   bool relu, float* y) {
  if (training) {
    statistics(x, rows);
  } else {
    const float* variances = running_var.const_data_ptr<float>();
    std::copy_n(running_mean.const_data_ptr<float>(), channels_, mean_.data());
    for (int64_t c = 0; c < channels_; ++c) {
      inverse_std_[c] = static_cast<float>(1 / std::sqrt(variances[c] + kEpsilon));
    }
  }
  const float *weight = parameters.weights(weight_), *bias = parameters.weights(bias_);
  std::vector<float> scale(channels_), offset(channels_);
  for (int64_t c = 0; c < channels_; ++c) {
    scale[c] = weight[c] * inverse_std_[c];
    offset[c] = bias[c] - mean_[c] * scale[c];
  }
  in_parts(rows, [&](int64_t begin, int64_t end, int64_t) {
    const int64_t at = begin * channels_;
    kernels_.affine(x + at, residual ? residual + at : nullptr, relu, end - begin, channels_, scale.data(),
                    offset.data(), y + at);
  });
}

void Norm::backward(Parameters& parameters, float* dy, const float* y, const float* x, int64_t rows, float* dx) {
  const std::vector<double> sums =
      sums_of(rows, channels_, [&](int64_t begin, int64_t end, double* values, double* dots) {
        const int64_t at = begin * channels_;
        kernels_.norm_reduce(dy + at, y ? y + at : nullptr, x + at, end - begin, channels_, mean_.data(), values, dots);
      });
  // dx = weight/std * (dy - mean(dy) - xhat * mean(dy * xhat)), written as by_dy * dy + by_x * (x - mean) + offset.
  const float* weight = parameters.weights(weight_);
  float *weight_gradient = parameters.gradients(weight_), *bias_gradient = parameters.gradients(bias_);
  std::vector<float> by_dy(channels_), by_x(channels_), offset(channels_);
  for (int64_t c = 0; c < channels_; ++c) {
    const double inverse_std = inverse_std_[c], sum = sums[c], dot = sums[channels_ + c];
    bias_gradient[c] = static_cast<float>(sum);
    weight_gradient[c] = static_cast<float>(dot * inverse_std);
    const double scale = weight[c] * inverse_std;
    const double slope = -scale * inverse_std * inverse_std * dot / static_cast<double>(rows);
    by_dy[c] = static_cast<float>(scale);
    by_x[c] = static_cast<float>(slope);
    offset[c] = static_cast<float>(-scale * sum / static_cast<double>(rows));
  }
  in_parts(rows, [&](int64_t begin, int64_t end, int64_t) {
    const int64_t at = begin * channels_;
    kernels_.norm_apply(dy + at, x + at, end - begin, channels_, mean_.data(), by_dy.data(), by_x.data(), offset.data(),
                        dx + at);
  });
}

}  // namespace chestmnist::cpu
