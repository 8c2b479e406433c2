#include "core/resnet.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <array>
#include <cmath>

namespace chestmnist {

namespace {

constexpr double kMomentum = 0.1;
constexpr double kEpsilon = 1e-5;

// torch.nn.init's bound for kaiming_uniform_(a=sqrt(5)), the default of Conv2d and Linear.
double default_bound(int64_t fan_in) {
  const double a = std::sqrt(5.0);
  const double gain = std::sqrt(2.0 / (1.0 + a * a));
  return std::sqrt(3.0) * (gain / std::sqrt(static_cast<double>(fan_in)));
}

// nn.Conv2d(..., bias=False): its default initialisation is drawn although ResNet overwrites it, because the draw
// moves the generator.
Conv2d make_conv(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding, at::Generator& generator) {
  Conv2d conv{at::empty({out, in, kernel, kernel}), stride, padding};
  const double bound = default_bound(in * kernel * kernel);
  conv.weight.uniform_(-bound, bound, generator);
  return conv;
}

// kaiming_normal_(mode="fan_out", nonlinearity="relu").
void kaiming_normal(Conv2d& conv, at::Generator& generator) {
  const double fan_out = static_cast<double>(conv.weight.size(0) * conv.weight.size(2) * conv.weight.size(3));
  conv.weight.normal_(0.0, std::sqrt(2.0) / std::sqrt(fan_out), generator);
}

BatchNorm2d make_norm(int64_t channels) {
  return {at::ones({channels}), at::zeros({channels}), at::zeros({channels}), at::ones({channels}),
          at::zeros({}, at::kLong)};
}

// ResNet._make_layer: the downsample is built before the first block's own convolutions.
std::vector<BasicBlock> make_layer(int64_t in, int64_t out, int64_t stride, at::Generator& generator) {
  std::vector<BasicBlock> blocks(2);
  if (stride != 1 || in != out) {
    blocks[0].downsample = Downsample{make_conv(in, out, 1, stride, 0, generator), make_norm(out)};
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    const bool first = i == 0;
    blocks[i].conv1 = make_conv(first ? in : out, out, 3, first ? stride : 1, 1, generator);
    blocks[i].bn1 = make_norm(out);
    blocks[i].conv2 = make_conv(out, out, 3, 1, 1, generator);
    blocks[i].bn2 = make_norm(out);
  }
  return blocks;
}

}  // namespace

at::Tensor Conv2d::forward(const at::Tensor& x) const { return at::conv2d(x, weight, /*bias=*/{}, stride, padding); }

at::Tensor BatchNorm2d::forward(const at::Tensor& x, bool training) const {
  if (training) num_batches_tracked.add_(1);
  return at::batch_norm(x, weight, bias, running_mean, running_var, training, kMomentum, kEpsilon,
                        /*cudnn_enabled=*/true);
}

at::Tensor BasicBlock::forward(const at::Tensor& x, bool training) const {
  at::Tensor out = bn1.forward(conv1.forward(x), training).relu_();
  out = bn2.forward(conv2.forward(out), training);
  out += downsample ? downsample->bn.forward(downsample->conv.forward(x), training) : x;
  return out.relu_();
}

ResNet18::ResNet18(Stem stem, int64_t label_count, uint64_t seed, at::Device device, at::ScalarType dtype)
    : stem_(stem) {
  at::NoGradGuard no_grad;
  // A local generator draws the same numbers as after torch.manual_seed(seed), without touching global state.
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);

  conv1_ = stem == Stem::kTorchvision ? make_conv(3, 64, 7, 2, 3, generator) : make_conv(3, 64, 3, 1, 1, generator);
  bn1_ = make_norm(64);
  constexpr std::array<int64_t, 5> kWidths{64, 64, 128, 256, 512};
  for (int i = 1; i <= 4; ++i) layers_.push_back(make_layer(kWidths[i - 1], kWidths[i], i == 1 ? 1 : 2, generator));
  const double bound = default_bound(512), bias_bound = 1.0 / std::sqrt(512.0);
  fc_weight_ = at::empty({label_count, 512}).uniform_(-bound, bound, generator);
  fc_bias_ = at::empty({label_count}).uniform_(-bias_bound, bias_bound, generator);

  // Then, as in ResNet.__init__, every convolution is drawn again.
  kaiming_normal(conv1_, generator);
  for (auto& layer : layers_) {
    for (auto& block : layer) {
      kaiming_normal(block.conv1, generator);
      kaiming_normal(block.conv2, generator);
      if (block.downsample) kaiming_normal(block.downsample->conv, generator);
    }
  }

  const auto add = [&](std::string name, at::Tensor& tensor, bool parameter) {
    tensor = tensor.to(device, tensor.is_floating_point() ? dtype : tensor.scalar_type());
    if (tensor.dim() == 4) tensor = tensor.contiguous(at::MemoryFormat::ChannelsLast);
    if (parameter) {
      tensor.requires_grad_(true);
      parameters_.push_back({name, tensor});
    }
    state_.push_back({std::move(name), tensor});
  };
  const auto add_norm = [&](const std::string& name, BatchNorm2d& bn) {
    add(name + ".weight", bn.weight, true);
    add(name + ".bias", bn.bias, true);
    add(name + ".running_mean", bn.running_mean, false);
    add(name + ".running_var", bn.running_var, false);
    add(name + ".num_batches_tracked", bn.num_batches_tracked, false);
  };
  add("conv1.weight", conv1_.weight, true);
  add_norm("bn1", bn1_);
  for (size_t l = 0; l < layers_.size(); ++l) {
    for (size_t b = 0; b < layers_[l].size(); ++b) {
      BasicBlock& block = layers_[l][b];
      const std::string name = "layer" + std::to_string(l + 1) + "." + std::to_string(b);
      add(name + ".conv1.weight", block.conv1.weight, true);
      add_norm(name + ".bn1", block.bn1);
      add(name + ".conv2.weight", block.conv2.weight, true);
      add_norm(name + ".bn2", block.bn2);
      if (block.downsample) {
        add(name + ".downsample.0.weight", block.downsample->conv.weight, true);
        add_norm(name + ".downsample.1", block.downsample->bn);
      }
    }
  }
  add("fc.weight", fc_weight_, true);
  add("fc.bias", fc_bias_, true);
}

at::Tensor ResNet18::features(const at::Tensor& input, bool training) const {
  at::Tensor x = bn1_.forward(conv1_.forward(input), training).relu_();
  if (stem_ == Stem::kTorchvision) x = at::max_pool2d(x, /*kernel=*/3, /*stride=*/2, /*padding=*/1);
  for (const auto& layer : layers_) {
    for (const auto& block : layer) x = block.forward(x, training);
  }
  return x;
}

at::Tensor ResNet18::forward(const at::Tensor& input, bool training) const {
  const at::Tensor x = at::adaptive_avg_pool2d(features(input, training), {1, 1}).flatten(1);  // [B, 512]
  return at::linear(x, fc_weight_, fc_bias_);                                                  // [B, L]
}

at::Tensor ResNet18::evidence(const at::Tensor& input) const {
  return at::conv2d(features(input, /*training=*/false), fc_weight_.unsqueeze(-1).unsqueeze(-1));
}

}  // namespace chestmnist
