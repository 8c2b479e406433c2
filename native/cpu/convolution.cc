#include "convolution.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>

namespace chestmnist::cpu {

namespace {

constexpr int64_t kChannels = 3;
// Depth of one call when summing over the batch: long enough to hide the loads and stores of the tile.
constexpr int64_t kDepth = 512;
constexpr int64_t kMostSegments = 64;  // of one call

// Calls product for all segments that `next` yields, in groups whose tiles stay in registers.
template <typename Next>
void sum_products(const Kernels& kernels, Product product, int64_t count, int64_t group, Next next) {
  std::array<Segment, kMostSegments> segments;
  product.segments = segments.data();
  for (int64_t begin = 0; begin < count; begin += group) {
    product.count = std::min(group, count - begin);
    for (int64_t i = 0; i < product.count; ++i) segments[i] = next(begin + i);
    kernels.product(product);
    product.accumulate = true;
  }
}

}  // namespace

Convolution::Convolution(const Kernels& kernels, Parameters& parameters, const std::string& name, int64_t inputs,
                         int64_t outputs, int64_t kernel, int64_t stride, Map in)
    : kernels_(kernels), inputs_(inputs), outputs_(outputs), in_(in) {
  const int64_t padding = kernel / 2;
  out_ = {(in.height + 2 * padding - kernel) / stride + 1, (in.width + 2 * padding - kernel) / stride + 1};

  std::vector<std::vector<Pair>> pairs(kernel * kernel);
  for (int64_t tap = 0; tap < kernel * kernel; ++tap) {
    for (int64_t position = 0; position < out_.positions(); ++position) {
      const int64_t y = position / out_.width * stride - padding + tap / kernel;
      const int64_t x = position % out_.width * stride - padding + tap % kernel;
      if (y >= 0 && y < in.height && x >= 0 && x < in.width) pairs[tap].push_back({y * in.width + x, position});
    }
  }
  std::vector<bool> live;
  for (const auto& of_tap : pairs) live.push_back(!of_tap.empty());
  weight_ = parameters.add(name, outputs, inputs, live, kernels.panel);

  terms_of_out_.resize(out_.positions());
  terms_of_in_.resize(in.positions());
  for (auto& of_tap : pairs) {
    if (of_tap.empty()) continue;
    const auto tap = static_cast<int64_t>(pairs_of_tap_.size());
    for (const Pair& pair : of_tap) {
      terms_of_out_[pair.out].push_back({tap, pair.in});
      terms_of_in_[pair.in].push_back({tap, pair.out});
    }
    pairs_of_tap_.push_back(std::move(of_tap));
  }
}

void Convolution::forward(Parameters& parameters, const float* x, int64_t batch, float* y) const {
  const float* weights = parameters.weights(weight_);
  const int64_t panel = kernels_.panel, panels = outputs_ / panel;
  at::parallel_for(0, out_.positions() * panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t position = task / panels, p = task % panels;
      const auto& terms = terms_of_out_[position];
      Product product{};
      product.depth = inputs_;
      product.a_row = inputs_;
      product.a_depth = 1;
      product.b_depth = panel;
      product.c = y + position * batch * outputs_ + p * panel;
      product.c_row = outputs_;
      product.rows = batch;
      sum_products(kernels_, product, static_cast<int64_t>(terms.size()), kMostSegments, [&](int64_t i) -> Segment {
        return {x + terms[i].position * batch * inputs_, weights + (terms[i].tap * panels + p) * inputs_ * panel};
      });
    }
  });
}

void Convolution::backward_data(Parameters& parameters, const float* dy, int64_t batch, bool accumulate, float* scratch,
                                float* dx) const {
  const float* weights = parameters.weights(weight_);
  const int64_t panel = kernels_.panel, out_panels = outputs_ / panel, in_panels = inputs_ / panel;
  const auto taps = static_cast<int64_t>(pairs_of_tap_.size());
  // The weights with inputs and outputs exchanged: [tap][input panel][output][within].
  at::parallel_for(0, taps * out_panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t tap = task / out_panels, o = task % out_panels;
      for (int64_t i = 0; i < in_panels; ++i) {
        kernels_.transpose(weights + (task * inputs_ + i * panel) * panel, panel, panel, panel,
                           scratch + ((tap * in_panels + i) * outputs_ + o * panel) * panel, panel);
      }
    }
  });
  at::parallel_for(0, in_.positions() * in_panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t position = task / in_panels, p = task % in_panels;
      const auto& terms = terms_of_in_[position];
      Product product{};
      product.depth = outputs_;
      product.a_row = outputs_;
      product.a_depth = 1;
      product.b_depth = panel;
      product.c = dx + position * batch * inputs_ + p * panel;
      product.c_row = inputs_;
      product.rows = batch;
      product.accumulate = accumulate;
      if (terms.empty() && !accumulate) kernels_.product(product);  // no output looks here: zero
      sum_products(kernels_, product, static_cast<int64_t>(terms.size()), kMostSegments, [&](int64_t i) -> Segment {
        return {dy + terms[i].position * batch * outputs_, scratch + (terms[i].tap * in_panels + p) * outputs_ * panel};
      });
    }
  });
}

void Convolution::backward_weight(Parameters& parameters, const float* x, const float* dy, int64_t batch) const {
  float* gradients = parameters.gradients(weight_);
  const int64_t panel = kernels_.panel, panels = outputs_ / panel;
  const auto taps = static_cast<int64_t>(pairs_of_tap_.size());
  const int64_t group = std::clamp<int64_t>(kDepth / batch, 1, kMostSegments);
  at::parallel_for(0, taps * panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t p = task % panels;
      const auto& pairs = pairs_of_tap_[task / panels];
      Product product{};
      product.depth = batch;
      product.a_row = 1;
      product.a_depth = inputs_;
      product.b_depth = outputs_;
      product.c = gradients + task * inputs_ * panel;
      product.c_row = panel;
      product.rows = inputs_;
      sum_products(kernels_, product, static_cast<int64_t>(pairs.size()), group, [&](int64_t i) -> Segment {
        return {x + pairs[i].in * batch * inputs_, dy + pairs[i].out * batch * outputs_ + p * panel};
      });
    }
  });
}

StemConvolution::StemConvolution(const Kernels& kernels, Parameters& parameters, Stem stem, Map in)
    : kernels_(kernels) {
  kernel_ = stem == Stem::kTorchvision ? 7 : 3;
  stride_ = stem == Stem::kTorchvision ? 2 : 1;
  padding_ = kernel_ / 2;
  padded_ = {in.height + 2 * padding_, in.width + 2 * padding_};
  out_ = {(padded_.height - kernel_) / stride_ + 1, (padded_.width - kernel_) / stride_ + 1};
  // A panel of all outputs: [tap][channel][output], so that the three channels of a tap lie side by side.
  weight_ = parameters.add("conv1.weight", kOutputs, kChannels, std::vector<bool>(kernel_ * kernel_, true), kOutputs);
  sum_ = Buffer(kernel_ * kernel_ * kOutputs);
  gradient_ = Buffer(kernel_ * kernel_ * kOutputs);
}

void StemConvolution::forward(Parameters& parameters, const float* x, int64_t batch, float* y) {
  const float* weights = parameters.weights(weight_);
  const int64_t panel = kernels_.panel, panels = kOutputs / panel, taps = kernel_ * kernel_;
  for (int64_t tap = 0; tap < taps; ++tap) {
    const float* channels = weights + tap * kChannels * kOutputs;
    for (int64_t o = 0; o < kOutputs; ++o) {
      sum_.data()[(o / panel * taps + tap) * panel + o % panel] =
          channels[o] + channels[kOutputs + o] + channels[2 * kOutputs + o];
    }
  }
  at::parallel_for(0, out_.positions() * panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t position = task / panels, p = task % panels;
      Product product{};
      product.depth = kernel_;
      product.a_row = 1;
      product.a_depth = batch;
      product.b_depth = panel;
      product.c = y + position * batch * kOutputs + p * panel;
      product.c_row = kOutputs;
      product.rows = batch;
      sum_products(kernels_, product, kernel_, kMostSegments, [&](int64_t row) -> Segment {
        return {x + (window(position) + row * padded_.width) * batch, sum_.data() + (p * taps + row * kernel_) * panel};
      });
    }
  });
}

void StemConvolution::backward_weight(Parameters& parameters, const float* x, const float* dy, int64_t batch) {
  const int64_t panel = kernels_.panel, panels = kOutputs / panel;
  const int64_t group = std::clamp<int64_t>(kDepth / batch, 1, kMostSegments);
  at::parallel_for(0, kernel_ * panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t row = task / panels, p = task % panels;
      Product product{};
      product.depth = batch;
      product.a_row = batch;
      product.a_depth = 1;
      product.b_depth = kOutputs;
      product.c = gradient_.data() + row * kernel_ * kOutputs + p * panel;
      product.c_row = kOutputs;
      product.rows = kernel_;
      sum_products(kernels_, product, out_.positions(), group, [&](int64_t position) -> Segment {
        return {x + (window(position) + row * padded_.width) * batch, dy + position * batch * kOutputs + p * panel};
      });
    }
  });
  float* gradients = parameters.gradients(weight_);
  for (int64_t tap = 0; tap < kernel_ * kernel_; ++tap) {
    for (int64_t c = 0; c < kChannels; ++c) {
      std::copy_n(gradient_.data() + tap * kOutputs, kOutputs, gradients + (tap * kChannels + c) * kOutputs);
    }
  }
}

}  // namespace chestmnist::cpu
