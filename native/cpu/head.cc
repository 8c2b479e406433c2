#include "cpu/head.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace chestmnist::cpu {

namespace {

constexpr int64_t kFeatures = 512;
const float kScale = 1 / std::sqrt(static_cast<float>(kFeatures));

}  // namespace

HeadLayers::HeadLayers(const Kernels& kernels, Parameters& parameters, Head head, Map map, int64_t label_count)
    : kernels_(kernels),
      positions_(map.positions()),
      label_count_(label_count),
      fc_(kernels, /*tiles=*/nullptr, parameters, "fc.weight", kFeatures, label_count, /*kernel=*/1, /*stride=*/1,
          head == Head::kAttention ? map : Map{1, 1}),
      bias_(parameters.add_vector("fc.bias", label_count)) {
  if (head != Head::kAttention) return;
  query_.emplace(kernels, nullptr, parameters, "query.weight", kFeatures, label_count, /*kernel=*/1, /*stride=*/1, map);
}

void HeadLayers::reserve(int64_t batch, bool training) {
  const int64_t values = (query_ ? positions_ : 1) * fc_.outputs() * batch;
  values_.at_least(values);
  if (query_) {
    scores_.at_least(values);
    return;
  }
  features_.at_least(kFeatures * batch);
  if (training) d_features_.at_least(kFeatures * batch);
}

void HeadLayers::forward(Parameters& parameters, Workspace& workspace, const float* x, int64_t batch, float* logits) {
  if (!query_) average(x, batch);
  fc_.forward(parameters, workspace, query_ ? x : features_.data(), batch, values_.data(), {});
  const float* bias = parameters.weights(bias_);
  if (query_) {
    query_->forward(parameters, workspace, x, batch, scores_.data(), {});
    attend(bias, batch, logits);
    return;
  }
  each_logit(batch, [&](int64_t b, int64_t l) {
    logits[b * label_count_ + l] = values_.data()[at(0, l, b, batch)] + bias[l];
  });
}

void HeadLayers::average(const float* x, int64_t batch) {
  const int64_t size = batch * kFeatures;
  share_out(batch, [&](int64_t part) {
    for (int64_t i = part * kFeatures; i < (part + 1) * kFeatures; ++i) {
      float sum = 0;
      for (int64_t position = 0; position < positions_; ++position) sum += x[position * size + i];
      features_.data()[i] = sum / static_cast<float>(positions_);
    }
  });
}

void HeadLayers::attend(const float* bias, int64_t batch, float* logits) {
  const float* values = values_.data();
  float* scores = scores_.data();
  each_logit(batch, [&](int64_t b, int64_t l) {
    float most = -std::numeric_limits<float>::infinity();
    for (int64_t p = 0; p < positions_; ++p) most = std::max(most, scores[at(p, l, b, batch)]);
    double sum = 0, logit = 0;
    for (int64_t p = 0; p < positions_; ++p) {
      const int64_t i = at(p, l, b, batch);
      scores[i] = std::exp((scores[i] - most) * kScale);
      sum += scores[i];
      logit += static_cast<double>(scores[i]) * values[i];
    }
    for (int64_t p = 0; p < positions_; ++p) scores[at(p, l, b, batch)] /= static_cast<float>(sum);
    logits[b * label_count_ + l] = static_cast<float>(logit / sum) + bias[l];
  });
}

void HeadLayers::append_evidence(Parameters& parameters, Workspace& workspace, const float* x, int64_t batch,
                                 std::vector<float>& maps) {
  const auto start = static_cast<int64_t>(maps.size());
  maps.resize(start + batch * label_count_ * positions_);
  for (int64_t p = 0; p < positions_; ++p) {
    if (!query_) fc_.forward(parameters, workspace, x + p * batch * kFeatures, batch, values_.data(), {});
    each_logit(batch, [&](int64_t b, int64_t l) {
      float& place = maps[start + (b * label_count_ + l) * positions_ + p];
      if (query_) {
        const int64_t i = at(p, l, b, batch);
        place = scores_.data()[i] * values_.data()[i] * static_cast<float>(positions_);
      } else {
        place = values_.data()[at(0, l, b, batch)];
      }
    });
  }
}

void HeadLayers::attend_backward(const float* d_logits, int64_t batch) {
  float *values = values_.data(), *shares = scores_.data();
  // Of the labels that only fill a panel, weights, and so scores and values, are zero, as their gradients are.
  each_logit(batch, [&](int64_t b, int64_t l) {
    const float d_logit = d_logits[b * label_count_ + l];
    double mean = 0;
    for (int64_t p = 0; p < positions_; ++p) {
      const int64_t i = at(p, l, b, batch);
      mean += static_cast<double>(shares[i]) * values[i];
    }
    for (int64_t p = 0; p < positions_; ++p) {
      const int64_t i = at(p, l, b, batch);
      const float d_value = shares[i] * d_logit;
      shares[i] = d_value * (values[i] - static_cast<float>(mean)) * kScale;
      values[i] = d_value;
    }
  });
}

void HeadLayers::average_backward(int64_t batch, float* dx, const Finish& receive) const {
  // The average's gradient is the same at every position.
  const int64_t panels = kFeatures / kernels_.panel, size = batch * kernels_.panel;
  share_out(positions_ * panels, [&](int64_t task) {
    const float* from = d_features_.data() + task % panels * size;
    float* block = dx + task * size;
    for (int64_t i = 0; i < size; ++i) block[i] = from[i] / static_cast<float>(positions_);
    receive(task / panels, task % panels, block);
  });
}

void HeadLayers::backward(Parameters& parameters, Workspace& workspace, const float* x, const float* d_logits,
                          int64_t batch, float* dx, const Finish& receive) {
  float* d_bias = parameters.gradients(bias_);
  std::fill_n(d_bias, label_count_, 0.0F);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t l = 0; l < label_count_; ++l) d_bias[l] += d_logits[b * label_count_ + l];
  }
  if (query_) {
    attend_backward(d_logits, batch);
    fc_.backward_weight(parameters, workspace, x, values_.data(), batch);
    query_->backward_weight(parameters, workspace, x, scores_.data(), batch);
    fc_.backward_data(parameters, workspace, values_.data(), batch, /*accumulate=*/false, dx, {});
    query_->backward_data(parameters, workspace, scores_.data(), batch, /*accumulate=*/true, dx, receive);
    return;
  }
  // Of the labels that only fill a panel, the values are zero, as their gradients are.
  each_logit(batch, [&](int64_t b, int64_t l) { values_.data()[at(0, l, b, batch)] = d_logits[b * label_count_ + l]; });
  fc_.backward_weight(parameters, workspace, features_.data(), values_.data(), batch);
  fc_.backward_data(parameters, workspace, values_.data(), batch, /*accumulate=*/false, d_features_.data(), {});
  average_backward(batch, dx, receive);
}

}  // namespace chestmnist::cpu
