#include "core/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/log_softmax.h>

namespace chestmnist {

at::Tensor loss_of(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& weights,
                   const LossOptions& options) {
  const at::Tensor y =
      options.smoothing == 0 ? targets : targets.mul(1 - options.smoothing).add_(options.floor(targets.size(1)));
  if (options.criterion == Criterion::kCrossEntropy) {
    // Targets in the shape of the logits are class probabilities to cross_entropy_loss.
    if (options.is_cross_entropy()) return at::cross_entropy_loss(logits, y, weights);
    const at::Tensor log_p = at::log_softmax(logits, 1);
    at::Tensor terms = y * (1 - log_p.exp()).pow(options.positive_focus) * log_p;
    if (weights.defined()) terms = terms * weights;
    return -terms.sum(1).mean();
  }
  if (options.is_cross_entropy()) return at::binary_cross_entropy_with_logits(logits, y, /*weight=*/{}, weights);
  at::Tensor positive = y * at::log_sigmoid(logits) * (-logits).sigmoid().pow(options.positive_focus);
  if (weights.defined()) positive = positive * weights;
  const at::Tensor q = (logits.sigmoid() - options.margin).clamp_min(0);
  const at::Tensor log_rest = options.margin == 0 ? at::log_sigmoid(-logits) : (1 - q).log();
  return -(positive + (1 - y) * q.pow(options.negative_focus) * log_rest).mean();
}

}  // namespace chestmnist
