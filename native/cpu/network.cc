#include "cpu/network.h"

#include <algorithm>
#include <array>
#include <utility>

#include "cpu/loss.h"

namespace chestmnist::cpu {

namespace {

constexpr int64_t kFeatures = 512;
constexpr int64_t kPoolKernel = 3, kPoolStride = 2, kPoolPadding = 1;

}  // namespace

Network::Network(const Kernels& kernels, const Tiles* tiles, Parameters& parameters, const ExecutionOptions& options,
                 int64_t label_count)
    : kernels_(kernels),
      parameters_(parameters),
      stem_(kernels, parameters, options.stem, options.channels, {options.input_size, options.input_size}),
      stem_norm_(kernels, parameters, "bn1", StemConvolution::kOutputs, stem_.out().positions()),
      pooled_(options.stem == Stem::kTorchvision),
      pool_(pooled_ ? pooled(stem_.out()) : stem_.out()),
      blocks_(make_blocks(tiles)),
      loss_(options.loss),
      label_count_(label_count),
      fc_(kernels, /*tiles=*/nullptr, parameters, "fc.weight", kFeatures, label_count, /*kernel=*/1, /*stride=*/1,
          {1, 1}),
      fc_bias_(parameters.add_vector("fc.bias", label_count)) {
  parameters.allocate();
}

// Records which window covers which positions; returns the map of windows.
Map Network::pooled(Map in) {
  const auto size = [](int64_t side) { return (side + 2 * kPoolPadding - kPoolKernel) / kPoolStride + 1; };
  const Map out{size(in.height), size(in.width)};
  pool_inputs_.resize(out.positions());
  pool_windows_.resize(in.positions());
  for (int64_t window = 0; window < out.positions(); ++window) {
    const int64_t top = window / out.width * kPoolStride - kPoolPadding;
    const int64_t left = window % out.width * kPoolStride - kPoolPadding;
    for (int64_t y = std::max<int64_t>(top, 0); y < std::min(top + kPoolKernel, in.height); ++y) {
      for (int64_t x = std::max<int64_t>(left, 0); x < std::min(left + kPoolKernel, in.width); ++x) {
        const int64_t position = y * in.width + x;
        pool_windows_[position].push_back({window, static_cast<uint8_t>(pool_inputs_[window].size())});
        pool_inputs_[window].push_back(position);
      }
    }
  }
  return out;
}

std::vector<Network::Block> Network::make_blocks(const Tiles* tiles) {
  std::vector<Block> blocks;
  Map map = pool_;
  int64_t width = StemConvolution::kOutputs;
  for (int layer = 1; layer <= 4; ++layer) {
    const int64_t outputs = int64_t{64} << (layer - 1);
    for (int b = 0; b < 2; ++b) {
      const std::string name = "layer" + std::to_string(layer) + "." + std::to_string(b);
      const int64_t stride = layer > 1 && b == 0 ? 2 : 1;
      Unit first(kernels_, tiles, parameters_, name + ".conv1.weight", name + ".bn1", width, outputs, 3, stride, map);
      Unit second(kernels_, tiles, parameters_, name + ".conv2.weight", name + ".bn2", outputs, outputs, 3, 1,
                  first.conv.out());
      std::optional<Unit> downsample;
      if (stride != 1) {
        downsample.emplace(kernels_, tiles, parameters_, name + ".downsample.0.weight", name + ".downsample.1", width,
                           outputs, 1, stride, map);
      }
      map = first.conv.out();
      width = outputs;
      blocks.push_back({name, std::move(first), std::move(second), std::move(downsample)});
    }
  }
  return blocks;
}

void Network::reserve(int64_t batch, bool training) {
  const auto of_batch = [&](int64_t size) { return Buffer(size * batch); };
  const int64_t stem_size = stem_.out().positions() * StemConvolution::kOutputs;
  const auto each_unit = [&](auto f) {
    for (Block& block : blocks_) {
      for (Unit* unit : {&block.first, &block.second, block.downsample ? &*block.downsample : nullptr}) {
        if (unit) f(*unit);
      }
    }
  };
  if (batch > reserved_) {
    input_ = of_batch(stem_.padded().positions() * stem_.channels());
    stem_raw_ = of_batch(stem_size);
    stem_out_ = of_batch(pool_.positions() * StemConvolution::kOutputs);
    pool_which_.resize(pool_windows_.empty() ? 0 : pool_.positions() * StemConvolution::kOutputs * batch);
    each_unit([&](Unit& unit) { unit.out = of_batch(unit.size()); });
    features_ = of_batch(kFeatures);
    logits_ = of_batch(fc_.outputs());
    reserved_ = batch;
  }
  if (training && batch > reserved_for_training_) {
    int64_t most = 0;
    each_unit([&](Unit& unit) {
      unit.raw = of_batch(unit.size());
      most = std::max(most, unit.size());
    });
    logit_gradients_ = of_batch(fc_.outputs());
    for (Buffer* buffer : {&first_gradient_, &second_gradient_}) *buffer = of_batch(most);
    for (Buffer* buffer : {&gradient_, &spare_gradient_}) *buffer = of_batch(std::max(most, stem_size));
    reserved_for_training_ = batch;
  }
}

float* Network::input(bool training, int64_t batch) {
  reserve(batch, training);
  return input_.data();
}

void Network::pool(int64_t batch) {
  const int64_t panels = StemConvolution::kOutputs / kernels_.panel, size = batch * kernels_.panel;
  share_out(pool_.positions() * panels, [&](int64_t task) {
    const int64_t p = task % panels;
    std::array<const float*, kPoolKernel * kPoolKernel> x{};
    int64_t count = 0;
    for (const int64_t in : pool_inputs_[task / panels]) x[count++] = stem_raw_.data() + (in * panels + p) * size;
    kernels_.pool(x.data(), count, batch, stem_norm_.scale(p), stem_norm_.offset(p), stem_out_.data() + task * size,
                  pool_which_.data() + task * size);
  });
}

void Network::stem_forward(bool training, int64_t batch) {
  float* raw = training || pooled_ ? stem_raw_.data() : stem_out_.data();
  if (!training) stem_norm_.use_running(parameters_);
  stem_.forward(parameters_, input_.data(), batch, raw, [&](int64_t position, int64_t panel, float* block) {
    if (training) {
      stem_norm_.collect(position, panel, block, batch);
    } else if (!pooled_) {
      stem_norm_.apply(panel, block, /*residual=*/nullptr, /*relu=*/true, batch, block);
    }
  });
  if (training) stem_norm_.use_batch(parameters_, raw, batch);
  if (pooled_) {
    pool(batch);
  } else if (training) {
    stem_norm_.apply_all(raw, /*residual=*/nullptr, /*relu=*/true, batch, stem_out_.data());
  }
}

void Network::unit_forward(Unit& unit, const float* x, const float* residual, bool relu, bool training, int64_t batch) {
  if (training) {
    unit.conv.forward(
        parameters_, workspace_, x, batch, unit.raw.data(),
        [&](int64_t position, int64_t panel, float* block) { unit.norm.collect(position, panel, block, batch); });
    unit.norm.use_batch(parameters_, unit.raw.data(), batch);
    unit.norm.apply_all(unit.raw.data(), residual, relu, batch, unit.out.data());
  } else {
    unit.norm.use_running(parameters_);
    unit.conv.forward(parameters_, workspace_, x, batch, unit.out.data(), [&](int64_t, int64_t panel, float* block) {
      const float* added = residual ? residual + (block - unit.out.data()) : nullptr;
      unit.norm.apply(panel, block, added, relu, batch, block);
    });
  }
}

const float* Network::block_forward(Block& block, const float* x, bool training, int64_t batch) {
  unit_forward(block.first, x, /*residual=*/nullptr, /*relu=*/true, training, batch);
  if (block.downsample) unit_forward(*block.downsample, x, nullptr, /*relu=*/false, training, batch);
  const float* identity = block.downsample ? block.downsample->out.data() : x;
  unit_forward(block.second, block.first.out.data(), identity, /*relu=*/true, training, batch);
  return block.second.out.data();
}

void Network::forward(bool training, int64_t batch, float* logits) {
  stem_forward(training, batch);
  const float* x = stem_out_.data();
  for (Block& block : blocks_) x = block_forward(block, x, training, batch);

  const int64_t positions = blocks_.back().second.conv.out().positions(), size = batch * kFeatures;
  share_out(batch, [&](int64_t part) {
    for (int64_t i = part * kFeatures; i < (part + 1) * kFeatures; ++i) {
      float sum = 0;
      for (int64_t position = 0; position < positions; ++position) sum += x[position * size + i];
      features_.data()[i] = sum / static_cast<float>(positions);
    }
  });
  fc_.forward(parameters_, workspace_, features_.data(), batch, logits_.data(), {});
  const float* bias = parameters_.weights(fc_bias_);
  each_logit(batch, [&](int64_t b, int64_t l, int64_t at) {
    if (l < label_count_) logits[b * label_count_ + l] = logits_.data()[at] + bias[l];
  });
}

void Network::append_evidence(int64_t batch, std::vector<float>& maps) {
  const Unit& last = blocks_.back().second;
  const int64_t positions = last.conv.out().positions(), size = batch * kFeatures, start = maps.size();
  maps.resize(start + batch * label_count_ * positions);
  for (int64_t position = 0; position < positions; ++position) {
    fc_.forward(parameters_, workspace_, last.out.data() + position * size, batch, logits_.data(), {});
    each_logit(batch, [&](int64_t b, int64_t l, int64_t at) {
      if (l < label_count_) maps[start + (b * label_count_ + l) * positions + position] = logits_.data()[at];
    });
  }
}

double Network::loss_backward(const float* logits, const float* labels, int64_t batch) {
  const bool exclusive = loss_.criterion == Criterion::kCrossEntropy;
  const auto scale = 1 / static_cast<double>(exclusive ? batch : batch * label_count_);
  const float* weights = loss_.weights.empty() ? nullptr : loss_.weights.data();
  double loss = 0;
  std::vector<double> gradients(exclusive ? label_count_ : 0);  // of one image
  float* bias_gradient = parameters_.gradients(fc_bias_);
  std::fill_n(bias_gradient, label_count_, 0.0F);
  each_logit(batch, [&](int64_t b, int64_t l, int64_t at) {
    float& gradient = logit_gradients_.data()[at];
    gradient = 0;
    if (l >= label_count_) return;
    const float *z = logits + b * label_count_, *y = labels + b * label_count_;
    if (exclusive) {
      if (l == 0) loss += exclusive_loss(loss_, z, y, weights, label_count_, gradients.data());
      gradient = static_cast<float>(gradients[l] * scale);
    } else {
      const Loss of_label = binary_loss(loss_, z[l], y[l], weights ? weights[l] : 1.0);
      loss += of_label.value;
      gradient = static_cast<float>(of_label.gradient * scale);
    }
    bias_gradient[l] += gradient;
  });
  return loss * scale;
}

void Network::head_backward(int64_t batch, const Finish& receive) {
  float* d_features = first_gradient_.data();
  fc_.backward_weight(parameters_, workspace_, features_.data(), logit_gradients_.data(), batch);
  fc_.backward_data(parameters_, workspace_, logit_gradients_.data(), batch, /*accumulate=*/false, d_features, {});
  // The average's gradient is the same at every position.
  const int64_t positions = blocks_.back().second.conv.out().positions();
  const int64_t panels = kFeatures / kernels_.panel, size = batch * kernels_.panel;
  share_out(positions * panels, [&](int64_t task) {
    const float* from = d_features + task % panels * size;
    float* block = gradient_.data() + task * size;
    for (int64_t i = 0; i < size; ++i) block[i] = from[i] / static_cast<float>(positions);
    receive(task / panels, task % panels, block);
  });
}

Finish Network::receive_block(Block& block, int64_t batch) {
  return [this, &block, batch](int64_t position, int64_t panel, float* dy) {
    const int64_t at = dy - gradient_.data();
    Unit& second = block.second;
    second.norm.collect_gradient(position, panel, dy, second.out.data() + at, second.raw.data() + at, batch);
    if (!block.downsample) return;
    Unit& downsample = *block.downsample;
    downsample.norm.collect_gradient(position, panel, dy, /*y=*/nullptr, downsample.raw.data() + at, batch);
  };
}

Finish Network::receive_stem(int64_t batch) {
  if (pooled_) return {};
  return [this, batch](int64_t position, int64_t panel, float* dy) {
    const int64_t at = dy - gradient_.data();
    stem_norm_.collect_gradient(position, panel, dy, stem_out_.data() + at, stem_raw_.data() + at, batch);
  };
}

void Network::block_backward(Block& block, const float* x, int64_t batch, const Finish& receive) {
  auto& [name, first, second, downsample] = block;
  float *d_second = second_gradient_.data(), *d_first = first_gradient_.data();

  second.norm.backward(parameters_, gradient_.data(), second.raw.data(), batch, d_second);
  second.conv.backward_weight(parameters_, workspace_, first.out.data(), d_second, batch);
  second.conv.backward_data(parameters_, workspace_, d_second, batch, /*accumulate=*/false, d_first,
                            [&, &first = first](int64_t position, int64_t panel, float* dy) {
                              const int64_t at = dy - d_first;
                              first.norm.collect_gradient(position, panel, dy, first.out.data() + at,
                                                          first.raw.data() + at, batch);
                            });
  first.norm.backward(parameters_, d_first, first.raw.data(), batch, d_first);
  first.conv.backward_weight(parameters_, workspace_, x, d_first, batch);
  if (downsample) {
    downsample->norm.backward(parameters_, gradient_.data(), downsample->raw.data(), batch, gradient_.data());
    downsample->conv.backward_weight(parameters_, workspace_, x, gradient_.data(), batch);
    downsample->conv.backward_data(parameters_, workspace_, gradient_.data(), batch, /*accumulate=*/false,
                                   spare_gradient_.data(), {});
    std::swap(gradient_, spare_gradient_);
  }
  first.conv.backward_data(parameters_, workspace_, d_first, batch, /*accumulate=*/true, gradient_.data(), receive);
}

// Backward through the pooling and its ReLU. As in max_pool2d, a gradient goes to the first maximum in reading order.
void Network::pool_backward(int64_t batch) {
  const int64_t panels = StemConvolution::kOutputs / kernels_.panel, size = batch * kernels_.panel;
  share_out(stem_.out().positions() * panels, [&](int64_t task) {
    const int64_t p = task % panels;
    constexpr int64_t kMost = 4;  // windows that cover one position
    std::array<const float*, kMost> dy{};
    std::array<const uint8_t*, kMost> which{};
    std::array<uint8_t, kMost> ranks{};
    int64_t count = 0;
    for (const auto& [window, rank] : pool_windows_[task / panels]) {
      dy[count] = gradient_.data() + (window * panels + p) * size;
      which[count] = pool_which_.data() + (window * panels + p) * size;
      ranks[count++] = rank;
    }
    float* dx = spare_gradient_.data() + task * size;
    kernels_.pool_backward(dy.data(), which.data(), ranks.data(), count, batch, dx);
    stem_norm_.collect_gradient(task / panels, p, dx, /*y=*/nullptr, stem_raw_.data() + task * size, batch);
  });
  std::swap(gradient_, spare_gradient_);
}

double Network::backward(const float* logits, const float* labels, int64_t batch) {
  const double loss = loss_backward(logits, labels, batch);
  head_backward(batch, receive_block(blocks_.back(), batch));
  for (size_t i = blocks_.size(); i-- > 0;) {
    const float* x = i > 0 ? blocks_[i - 1].second.out.data() : stem_out_.data();
    block_backward(blocks_[i], x, batch, i > 0 ? receive_block(blocks_[i - 1], batch) : receive_stem(batch));
  }
  if (pooled_) pool_backward(batch);
  stem_norm_.backward(parameters_, gradient_.data(), stem_raw_.data(), batch, gradient_.data());
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
