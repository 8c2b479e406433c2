#include "cpu/convolution.h"

#include <algorithm>
#include <array>

namespace chestmnist::cpu {

namespace {

constexpr int64_t kChannels = 3;
// Depth of one call when summing over the batch: the blocks of both operands stay in the L1 cache for all its tiles.
constexpr int64_t kDepth = 128;
constexpr int64_t kMostSegments = 64;  // per call
// The stem sums weight gradients separately in this many parts of the map: fixed, so that no sum depends on the
// threads.
constexpr int64_t kParts = 8;

// Calls product for all segments that `next` yields, `group` at a time.
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

Convolution::Convolution(const Kernels& kernels, const Tiles* tiles, Parameters& parameters, const std::string& name,
                         int64_t inputs, int64_t outputs, int64_t kernel, int64_t stride, Map in)
    : kernels_(kernels), inputs_(inputs), in_(in) {
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
  outputs_ = parameters.layout(weight_).padded_outputs;

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
  if (tiles != nullptr) {
    tiled_.emplace(*tiles, static_cast<int64_t>(pairs_of_tap_.size()), inputs_, outputs_);
    return;
  }
  int64_t products = 0;
  for (const auto& of_tap : pairs_of_tap_) products += static_cast<int64_t>(of_tap.size());
  if (kernel == 3 && stride == 1 && Winograd::pays(in, products)) winograd_.emplace(kernels, in);
}

void Convolution::gather(const Terms& terms, const float* x, int64_t x_channels, const float* weights, int64_t batch,
                         bool accumulate, float* y, int64_t y_channels, const Finish& finish) const {
  const int64_t panel = kernels_.panel, panels = y_channels / panel;
  share_out(static_cast<int64_t>(terms.size()) * panels, [&](int64_t task) {
    const int64_t position = task / panels, p = task % panels;
    const auto& of_position = terms[position];
    Product product{};
    product.depth = x_channels;
    product.a_row = panel;
    product.a_depth = 1;
    product.a_span = panel;
    product.a_stride = batch * panel;
    product.c = y + task * batch * panel;
    product.rows = batch;
    product.accumulate = accumulate;
    if (of_position.empty() && !accumulate) kernels_.product(product);  // no term: sets the block to zero
    sum_products(kernels_, product, static_cast<int64_t>(of_position.size()), kMostSegments, [&](int64_t i) -> Segment {
      const auto& [tap, from] = of_position[i];
      return {x + from * batch * x_channels, weights + (tap * panels + p) * x_channels * panel};
    });
    if (finish) finish(position, p, product.c);
  });
}

void Convolution::forward(Parameters& parameters, Workspace& workspace, const float* x, int64_t batch, float* y,
                          const Finish& finish) {
  if (tiled_) {
    tiled_->forward(parameters, weight_, workspace, terms_of_out_, x, in_.positions(), batch, y, finish);
    return;
  }
  if (winograd_) {
    winograd_->convolve(workspace, parameters.weights(weight_), /*reversed=*/false, x, inputs_, batch,
                        /*accumulate=*/false, y, outputs_, finish);
    return;
  }
  gather(terms_of_out_, x, inputs_, parameters.weights(weight_), batch, /*accumulate=*/false, y, outputs_, finish);
}

void Convolution::backward_data(Parameters& parameters, Workspace& workspace, const float* dy, int64_t batch,
                                bool accumulate, float* dx, const Finish& finish) {
  if (tiled_) {
    tiled_->backward_data(parameters, weight_, workspace, terms_of_in_, dy, out_.positions(), batch, accumulate, dx,
                          finish);
    return;
  }
  const float* weights = parameters.weights(weight_);
  const auto taps = static_cast<int64_t>(pairs_of_tap_.size());
  float* transposed = workspace.transposed.at_least(taps * inputs_ * outputs_);
  const int64_t panel = kernels_.panel, out_panels = outputs_ / panel, in_panels = inputs_ / panel;
  // Weights with inputs and outputs exchanged: [tap][input panel][output][P].
  share_out(taps * out_panels, [&](int64_t task) {
    const int64_t tap = task / out_panels, o = task % out_panels;
    for (int64_t i = 0; i < in_panels; ++i) {
      kernels_.transpose(weights + (task * inputs_ + i * panel) * panel,
                         transposed + ((tap * in_panels + i) * outputs_ + o * panel) * panel);
    }
  });
  if (winograd_) {
    winograd_->convolve(workspace, transposed, /*reversed=*/true, dy, outputs_, batch, accumulate, dx, inputs_, finish);
    return;
  }
  gather(terms_of_in_, dy, outputs_, transposed, batch, accumulate, dx, inputs_, finish);
}

void Convolution::backward_weight(Parameters& parameters, Workspace& workspace, const float* x, const float* dy,
                                  int64_t batch) const {
  float* gradients = parameters.gradients(weight_);
  if (tiled_) {
    tiled_->weight_gradient(workspace, pairs_of_tap_, x, in_.positions(), dy, out_.positions(), batch, gradients);
    return;
  }
  if (winograd_) {
    winograd_->weight_gradient(workspace, x, inputs_, dy, outputs_, batch, gradients);
    return;
  }
  const int64_t panel = kernels_.panel, out_panels = outputs_ / panel, in_panels = inputs_ / panel;
  const auto taps = static_cast<int64_t>(pairs_of_tap_.size());
  const int64_t group = std::clamp<int64_t>(kDepth / batch, 1, kMostSegments);
  // Gradients have the layout of the weights: [tap][output panel][input][P].
  share_out(taps * out_panels * in_panels, [&](int64_t task) {
    const int64_t tap = task / in_panels / out_panels, o = task / in_panels % out_panels, i = task % in_panels;
    const auto& pairs = pairs_of_tap_[tap];
    Product product{};
    product.depth = batch;
    product.a_row = 1;
    product.a_depth = panel;
    product.a_span = batch;
    product.c = gradients + task * panel * panel;
    product.rows = panel;
    sum_products(kernels_, product, static_cast<int64_t>(pairs.size()), group, [&](int64_t n) -> Segment {
      return {x + (pairs[n].in * in_panels + i) * batch * panel, dy + (pairs[n].out * out_panels + o) * batch * panel};
    });
  });
}

StemConvolution::StemConvolution(const Kernels& kernels, Parameters& parameters, Stem stem, int64_t channels, Map in)
    : kernels_(kernels), channels_(channels) {
  kernel_ = stem == Stem::kTorchvision ? 7 : 3;
  stride_ = stem == Stem::kTorchvision ? 2 : 1;
  padding_ = kernel_ / 2;
  padded_ = {in.height + 2 * padding_, in.width + 2 * padding_};
  out_ = {(padded_.height - kernel_) / stride_ + 1, (padded_.width - kernel_) / stride_ + 1};
  // One panel for all outputs: [tap][channel][output], so that the three channels of a tap are contiguous.
  weight_ = parameters.add("conv1.weight", kOutputs, kChannels, std::vector<bool>(kernel_ * kernel_, true), kOutputs);
  used_ = Buffer(kernel_ * kernel_ * channels_ * kOutputs);
  parts_ = Buffer(kParts * kernel_ * kernel_ * channels_ * kOutputs);
}

void StemConvolution::forward(Parameters& parameters, const float* x, int64_t batch, float* y, const Finish& finish) {
  const float* weights = parameters.weights(weight_);
  const int64_t panel = kernels_.panel, panels = kOutputs / panel, inputs = kernel_ * kernel_ * channels_;
  for (int64_t i = 0; i < inputs; ++i) {
    const float* channels = weights + i * kChannels / channels_ * kOutputs;
    for (int64_t o = 0; o < kOutputs; ++o) {
      used_.data()[(o / panel * inputs + i) * panel + o % panel] =
          channels_ == 1 ? channels[o] + channels[kOutputs + o] + channels[2 * kOutputs + o] : channels[o];
    }
  }
  const int64_t depth = kernel_ * channels_;
  share_out(out_.positions() * panels, [&](int64_t task) {
    const int64_t position = task / panels, p = task % panels;
    Product product{};
    product.depth = depth;
    product.a_row = 1;
    product.a_depth = batch;
    product.a_span = depth;
    product.c = y + task * batch * panel;
    product.rows = batch;
    sum_products(kernels_, product, kernel_, kMostSegments, [&](int64_t row) -> Segment {
      return {x + window(position, row) * batch, used_.data() + (p * inputs + row * depth) * panel};
    });
    if (finish) finish(position, p, product.c);
  });
}

void StemConvolution::backward_weight(Parameters& parameters, const float* x, const float* dy, int64_t batch) {
  const int64_t panel = kernels_.panel, panels = kOutputs / panel, inputs = kernel_ * kernel_ * channels_;
  const int64_t size = inputs * kOutputs, depth = kernel_ * channels_;
  share_out(kParts * panels, [&](int64_t task) {
    const int64_t part = task / panels, p = task % panels;
    const int64_t begin = part * out_.positions() / kParts, end = (part + 1) * out_.positions() / kParts;
    float* gradient = parts_.data() + task * inputs * panel;
    std::fill_n(gradient, inputs * panel, 0.0F);
    for (int64_t position = begin; position < end; ++position) {
      const float* block = dy + (position * panels + p) * batch * panel;
      for (int64_t row = 0; row < kernel_; ++row) {
        const Segment segment{x + window(position, row) * batch, block};
        kernels_.product({&segment, 1, batch, batch, 1, batch, 0, gradient + row * depth * panel, depth, true});
      }
    }
  });
  for (int64_t part = 1; part < kParts; ++part) {
    for (int64_t i = 0; i < size; ++i) parts_.data()[i] += parts_.data()[part * size + i];
  }
  float* gradients = parameters.gradients(weight_);
  for (int64_t o = 0; o < kOutputs; ++o) {
    for (int64_t i = 0; i < kernel_ * kernel_ * kChannels; ++i) {
      gradients[i * kOutputs + o] = parts_.data()[(o / panel * inputs + i * channels_ / kChannels) * panel + o % panel];
    }
  }
}

}  // namespace chestmnist::cpu
