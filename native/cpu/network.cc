#include "network.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace chestmnist::cpu {

namespace {

constexpr int64_t kFeatures = 512;
constexpr int64_t kPoolKernel = 3, kPoolStride = 2, kPoolPadding = 1;

// f(input position) for every position that the pooling window of an output position sees.
template <typename F>
void each_in_window(int64_t position, Map in, Map out, F f) {
  const int64_t top = position / out.width * kPoolStride - kPoolPadding;
  const int64_t left = position % out.width * kPoolStride - kPoolPadding;
  for (int64_t y = std::max<int64_t>(top, 0); y < std::min(top + kPoolKernel, in.height); ++y) {
    for (int64_t x = std::max<int64_t>(left, 0); x < std::min(left + kPoolKernel, in.width); ++x) f(y * in.width + x);
  }
}

}  // namespace

Network::Network(const Kernels& kernels, Parameters& parameters, Stem stem, int64_t label_count, Map input)
    : kernels_(kernels),
      parameters_(parameters),
      stem_(kernels, parameters, stem, input),
      stem_norm_(kernels, parameters, "bn1", StemConvolution::kOutputs),
      pooled_(stem == Stem::kTorchvision),
      pool_(stem_.out()),
      label_count_(label_count) {
  if (pooled_) {
    const auto pooled = [](int64_t side) { return (side + 2 * kPoolPadding - kPoolKernel) / kPoolStride + 1; };
    pool_ = {pooled(pool_.height), pooled(pool_.width)};
  }
  Map map = pool_;
  int64_t width = StemConvolution::kOutputs;
  for (int layer = 1; layer <= 4; ++layer) {
    const int64_t outputs = int64_t{64} << (layer - 1);
    for (int b = 0; b < 2; ++b) {
      const std::string name = "layer" + std::to_string(layer) + "." + std::to_string(b);
      const int64_t stride = layer > 1 && b == 0 ? 2 : 1;
      Unit first(kernels, parameters, name + ".conv1.weight", name + ".bn1", width, outputs, 3, stride, map);
      Unit second(kernels, parameters, name + ".conv2.weight", name + ".bn2", outputs, outputs, 3, 1, first.conv.out());
      std::optional<Unit> downsample;
      if (stride != 1) {
        downsample.emplace(kernels, parameters, name + ".downsample.0.weight", name + ".downsample.1", width, outputs,
                           1, stride, map);
      }
      map = first.conv.out();
      width = outputs;
      blocks_.push_back({name, std::move(first), std::move(second), std::move(downsample)});
    }
  }
  fc_weight_ = parameters.add("fc.weight", label_count, kFeatures, {true}, kernels.panel);
  fc_bias_ = parameters.add_vector("fc.bias", label_count);
  padded_labels_ = parameters.layout(fc_weight_).padded_outputs;
  parameters.allocate();
}

void Network::reserve(int64_t batch) {
  if (batch <= reserved_) return;
  int64_t most = stem_.out().positions() * StemConvolution::kOutputs, most_weights = kFeatures * padded_labels_;
  const auto of_batch = [&](int64_t size) { return Buffer(size * batch); };
  input_ = of_batch(stem_.padded().positions());
  stem_raw_ = of_batch(most);
  stem_out_ = of_batch(most);
  pool_out_ = of_batch(pooled_ ? pool_.positions() * StemConvolution::kOutputs : 0);
  for (Block& block : blocks_) {
    for (Unit* unit : {&block.first, &block.second, block.downsample ? &*block.downsample : nullptr}) {
      if (!unit) continue;
      unit->raw = of_batch(unit->size());
      unit->out = of_batch(unit->size());
      most = std::max(most, unit->size());
      most_weights = std::max(most_weights, unit->conv.live_weights());
    }
  }
  for (Buffer* buffer : {&gradient_, &first_gradient_, &second_gradient_, &spare_gradient_}) *buffer = of_batch(most);
  features_ = of_batch(kFeatures);
  logits_ = of_batch(padded_labels_);
  logit_gradients_ = of_batch(padded_labels_);
  transposed_ = Buffer(most_weights);
  reserved_ = batch;
}

float* Network::input(int64_t batch) {
  reserve(batch);
  return input_.data();
}

void Network::max_pool(int64_t batch) {
  const int64_t size = batch * StemConvolution::kOutputs;
  at::parallel_for(0, pool_.positions(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t position = begin; position < end; ++position) {
      float* y = pool_out_.data() + position * size;
      bool first = true;
      each_in_window(position, stem_.out(), pool_, [&](int64_t in) {
        const float* x = stem_out_.data() + in * size;
        if (std::exchange(first, false)) {
          std::copy_n(x, size, y);
        } else {
          kernels_.maximum(x, size, y);
        }
      });
    }
  });
}

// As max_pool2d: the gradient goes to the first place, in reading order, that holds the maximum. `dy` is used up.
void Network::max_pool_backward(float* dy, int64_t batch, float* dx) const {
  const int64_t size = batch * StemConvolution::kOutputs;
  // Windows overlap, so threads share out the batch and not the windows.
  at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
    const int64_t at = begin * StemConvolution::kOutputs, count = (end - begin) * StemConvolution::kOutputs;
    for (int64_t in = 0; in < stem_.out().positions(); ++in) std::fill_n(dx + in * size + at, count, 0.0F);
    for (int64_t position = 0; position < pool_.positions(); ++position) {
      const float* y = pool_out_.data() + position * size + at;
      each_in_window(position, stem_.out(), pool_, [&](int64_t in) {
        kernels_.maximum_backward(stem_out_.data() + in * size + at, y, count, dy + position * size + at,
                                  dx + in * size + at);
      });
    }
  });
}

const float* Network::block_forward(Block& block, const float* x, bool training, int64_t batch) {
  const auto run = [&](Unit& unit, const float* in, const float* residual, bool relu) -> const float* {
    unit.conv.forward(parameters_, in, batch, unit.raw.data());
    unit.norm.forward(parameters_, training, unit.raw.data(), unit.conv.out().positions() * batch, residual, relu,
                      unit.out.data());
    return unit.out.data();
  };
  const float* out = run(block.first, x, nullptr, true);
  const float* identity = block.downsample ? run(*block.downsample, x, nullptr, false) : x;
  return run(block.second, out, identity, true);
}

const float* Network::forward(bool training, int64_t batch) {
  stem_.forward(parameters_, input_.data(), batch, stem_raw_.data());
  stem_norm_.forward(parameters_, training, stem_raw_.data(), stem_.out().positions() * batch, nullptr, true,
                     stem_out_.data());
  if (pooled_) max_pool(batch);
  const float* x = pooled_ ? pool_out_.data() : stem_out_.data();
  for (Block& block : blocks_) x = block_forward(block, x, training, batch);

  const int64_t positions = blocks_.back().second.conv.out().positions();
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t c = 0; c < kFeatures; ++c) {
      float sum = 0;
      for (int64_t position = 0; position < positions; ++position) sum += x[(position * batch + b) * kFeatures + c];
      features_.data()[b * kFeatures + c] = sum / static_cast<float>(positions);
    }
  }
  const float* bias = parameters_.weights(fc_bias_);
  for (int64_t p = 0; p < padded_labels_ / kernels_.panel; ++p) {
    const Segment segment{features_.data(), parameters_.weights(fc_weight_) + p * kFeatures * kernels_.panel};
    kernels_.product({&segment, 1, kFeatures, kFeatures, 1, kernels_.panel, logits_.data() + p * kernels_.panel,
                      padded_labels_, batch, false});
  }
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t l = 0; l < label_count_; ++l) logits_.data()[b * padded_labels_ + l] += bias[l];
  }
  return logits_.data();
}

// binary_cross_entropy_with_logits, mean over the batch and the labels.
double Network::loss_backward(const float* labels, int64_t batch) {
  const auto scale = 1 / static_cast<double>(batch * label_count_);
  double loss = 0;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t l = 0; l < label_count_; ++l) {
      const double z = logits_.data()[b * padded_labels_ + l], y = labels[b * label_count_ + l];
      const double small = std::exp(-std::abs(z));  // of the side that cannot overflow
      loss += (z > 0 ? z : z * 0) - z * y + std::log1p(small);
      const double sigmoid = z >= 0 ? 1 / (1 + small) : small / (1 + small);
      logit_gradients_.data()[b * padded_labels_ + l] = static_cast<float>((sigmoid - y) * scale);
    }
  }
  return loss * scale;
}

void Network::head_backward(int64_t batch, float* dx) {
  const int64_t panel = kernels_.panel;
  float* bias_gradient = parameters_.gradients(fc_bias_);
  std::fill_n(bias_gradient, label_count_, 0.0F);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t l = 0; l < label_count_; ++l) bias_gradient[l] += logit_gradients_.data()[b * padded_labels_ + l];
  }
  for (int64_t p = 0; p < padded_labels_ / panel; ++p) {
    const Segment segment{features_.data(), logit_gradients_.data() + p * panel};
    kernels_.product({&segment, 1, batch, 1, kFeatures, padded_labels_,
                      parameters_.gradients(fc_weight_) + p * kFeatures * panel, panel, kFeatures, false});
    for (int64_t i = 0; i < kFeatures / panel; ++i) {
      kernels_.transpose(parameters_.weights(fc_weight_) + (p * kFeatures + i * panel) * panel, panel, panel, panel,
                         transposed_.data() + (i * padded_labels_ + p * panel) * panel, panel);
    }
  }
  // The average's gradient is the same at every position.
  const int64_t positions = blocks_.back().second.conv.out().positions();
  for (int64_t i = 0; i < kFeatures / panel; ++i) {
    const Segment segment{logit_gradients_.data(), transposed_.data() + i * padded_labels_ * panel};
    kernels_.product({&segment, 1, label_count_, padded_labels_, 1, panel, dx + i * panel, kFeatures, batch, false});
  }
  const int64_t size = batch * kFeatures;
  for (int64_t i = 0; i < size; ++i) dx[i] /= static_cast<float>(positions);
  for (int64_t position = 1; position < positions; ++position) std::copy_n(dx, size, dx + position * size);
}

void Network::block_backward(Block& block, const float* x, int64_t batch, Buffer& gradient) {
  float *dy = gradient.data(), *d_second = second_gradient_.data(), *d_first = first_gradient_.data();
  float* scratch = transposed_.data();
  const int64_t rows = block.second.conv.out().positions() * batch;

  // After this dy is masked by the ReLU: the gradient of both sides of the addition.
  block.second.norm.backward(parameters_, dy, block.second.out.data(), block.second.raw.data(), rows, d_second);
  block.second.conv.backward_weight(parameters_, block.first.out.data(), d_second, batch);
  block.second.conv.backward_data(parameters_, d_second, batch, /*accumulate=*/false, scratch, d_first);
  block.first.norm.backward(parameters_, d_first, block.first.out.data(), block.first.raw.data(), rows, d_first);
  block.first.conv.backward_weight(parameters_, x, d_first, batch);
  if (block.downsample) {
    Unit& downsample = *block.downsample;
    downsample.norm.backward(parameters_, dy, /*y=*/nullptr, downsample.raw.data(), rows, dy);
    downsample.conv.backward_weight(parameters_, x, dy, batch);
    downsample.conv.backward_data(parameters_, dy, batch, /*accumulate=*/false, scratch, spare_gradient_.data());
    std::swap(gradient, spare_gradient_);
  }
  block.first.conv.backward_data(parameters_, d_first, batch, /*accumulate=*/true, scratch, gradient.data());
}

double Network::backward(const float* labels, int64_t batch) {
  const double loss = loss_backward(labels, batch);
  head_backward(batch, gradient_.data());
  for (size_t i = blocks_.size(); i-- > 0;) {
    const float* x = i > 0 ? blocks_[i - 1].second.out.data() : pooled_ ? pool_out_.data() : stem_out_.data();
    block_backward(blocks_[i], x, batch, gradient_);
  }
  if (pooled_) {
    max_pool_backward(gradient_.data(), batch, spare_gradient_.data());
    std::swap(gradient_, spare_gradient_);
  }
  stem_norm_.backward(parameters_, gradient_.data(), stem_out_.data(), stem_raw_.data(),
                      stem_.out().positions() * batch, gradient_.data());
  stem_.backward_weight(parameters_, input_.data(), gradient_.data(), batch);
  return loss;
}

std::vector<std::pair<std::string, Norm*>> Network::norms() {
  std::vector<std::pair<std::string, Norm*>> result{{"bn1", &stem_norm_}};
  for (Block& block : blocks_) {
    result.push_back({block.name + ".bn1", &block.first.norm});
    result.push_back({block.name + ".bn2", &block.second.norm});
    if (block.downsample) result.push_back({block.name + ".downsample.1", &block.downsample->norm});
  }
  return result;
}

}  // namespace chestmnist::cpu
