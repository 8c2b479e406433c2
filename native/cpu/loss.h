// The loss (core/loss.h) of single images with its derivatives, in double precision.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/loss.h"

namespace chestmnist::cpu {

// A loss and its derivative by the logit.
struct Loss {
  double value, gradient;
};

// Of one label: its logit, its target and the weight of its positive term.
inline Loss binary_loss(const LossOptions& options, double z, double y, double weight) {
  const double small = std::exp(-std::abs(z));  // the exponent is never positive: no overflow
  const double p = z >= 0 ? 1 / (1 + small) : small / (1 + small);
  const double softplus = (z > 0 ? z : z * 0) + std::log1p(small);  // -log(1 - p)
  if (options.is_cross_entropy()) {
    if (weight == 1) return {(z > 0 ? z : z * 0) - z * y + std::log1p(small), p - y};
    return {weight * y * (softplus - z) + (1 - y) * softplus, (1 - y) * p - weight * y * (1 - p)};
  }
  const double rest = z >= 0 ? small / (1 + small) : 1 / (1 + small);  // 1 - p
  const double a = options.positive_focus, b = options.negative_focus;
  const double log_p = z - softplus, focus = weight * y * std::pow(rest, a);
  Loss loss{-focus * log_p, focus * (a * p * log_p - rest)};
  const double q = p - options.margin;
  if (q <= 0) return loss;
  const double log_rest = options.margin == 0 ? -softplus : std::log1p(-q);
  const double by_q = b == 0 ? 0 : b * std::pow(q, b - 1) * log_rest;
  loss.value -= (1 - y) * std::pow(q, b) * log_rest;
  loss.gradient -= (1 - y) * p * rest * (by_q - std::pow(q, b) / (1 - q));
  return loss;
}

// Of `count` exclusive labels; writes the derivative by each logit. `weights` are per label, or null.
inline double exclusive_loss(const LossOptions& options, const float* logits, const float* targets,
                             const float* weights, int64_t count, double* gradients) {
  const double most = *std::max_element(logits, logits + count);
  double sum = 0;
  for (int64_t l = 0; l < count; ++l) sum += std::exp(logits[l] - most);
  const double log_sum = most + std::log(sum), a = options.positive_focus;
  // The derivative by z_k of a loss of the probabilities is g_k - p_k (sum of g), with g_c = p_c (its derivative by
  // p_c).
  double value = 0, total = 0;
  for (int64_t l = 0; l < count; ++l) {
    const double log_p = logits[l] - log_sum, p = std::exp(log_p), y = (weights ? weights[l] : 1.0) * targets[l];
    const double focus = a == 0 ? y : y * std::pow(1 - p, a);
    value -= focus * log_p;
    gradients[l] = (a == 0 ? 0 : y * a * std::pow(1 - p, a - 1) * p * log_p) - focus;
    total += gradients[l];
  }
  for (int64_t l = 0; l < count; ++l) gradients[l] -= std::exp(logits[l] - log_sum) * total;
  return value;
}

}  // namespace chestmnist::cpu
