// The loss and its options. The plain form is here, from LibTorch's operators; cpu/loss.h has the same with its
// derivatives. Sources: binary_cross_entropy_with_logits and cross_entropy of PyTorch; focal loss, Lin et al. 2017,
// arXiv 1708.02002; asymmetric loss, Ridnik et al. 2021, arXiv 2009.14119.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace chestmnist {

enum class Criterion {
  kBinaryCrossEntropy,  // of a sigmoid per label, mean over the batch and the labels
  kCrossEntropy,        // of a softmax over the labels, mean over the batch
};

// With p the probability of a label and y its target, the binary loss of a label is
//   -(weight y (1 - p)^a log p + (1 - y) q^b log(1 - q)),  q = max(p - margin, 0),
// and the loss of exclusive labels is the sum of -weight y (1 - p)^a log p.
struct LossOptions {
  Criterion criterion = Criterion::kBinaryCrossEntropy;
  std::vector<float> weights;  // per label; empty for ones
  double positive_focus = 0;   // a: 0, or from 1
  double negative_focus = 0;   // b: likewise
  double margin = 0;           // from 0, below 1
  double smoothing = 0;        // the part of a target that is spread evenly: over 0 and 1, or over the exclusive labels

  bool is_cross_entropy() const { return positive_focus == 0 && negative_focus == 0 && margin == 0; }
  // What a target of 0 becomes; a target of 1 becomes 1 - smoothing more.
  double floor(int64_t label_count) const {
    return smoothing / (criterion == Criterion::kCrossEntropy ? static_cast<double>(label_count) : 2.0);
  }
};

// Logits and targets [B, L], targets from 0 to 1; `weights` [L] or undefined.
at::Tensor loss_of(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& weights,
                   const LossOptions& options);

}  // namespace chestmnist
