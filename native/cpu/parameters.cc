#include "cpu/parameters.h"

#include <ATen/Parallel.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace chestmnist::cpu {

size_t Parameters::add(std::string name, int64_t outputs, int64_t inputs, std::vector<bool> live, int64_t panel) {
  Layout layout;
  layout.name = std::move(name);
  layout.outputs = outputs;
  layout.padded_outputs = (outputs + panel - 1) / panel * panel;
  layout.inputs = inputs;
  layout.panel = panel;
  layout.live_taps = std::count(live.begin(), live.end(), true);
  int64_t next_live = 0, next_dead = layout.live_taps;
  for (const bool tap : live) layout.rank.push_back(tap ? next_live++ : next_dead++);
  layouts_.push_back(std::move(layout));
  return layouts_.size() - 1;
}

size_t Parameters::add_vector(std::string name, int64_t size) {
  const size_t index = add(std::move(name), size, 1, {true}, size);
  layouts_[index].is_vector = true;
  return index;
}

void Parameters::allocate() {
  for (Layout& layout : layouts_) {
    layout.live = size_;
    size_ += layout.live_taps * layout.tap_size();
  }
  for (Layout& layout : layouts_) {
    if (!whole_) break;
    layout.dead = size_;
    size_ += (static_cast<int64_t>(layout.rank.size()) - layout.live_taps) * layout.tap_size();
  }
  weights_ = Buffer(size_);
  gradients_ = Buffer(size_);
  first_moments_ = Buffer(size_);
  second_moments_ = Buffer(size_);
  if (keeps_averages_) averages_ = Buffer(size_);
}

float Parameters::clipped(double most) const {
  // Parts of a fixed size: the sum does not depend on the number of threads.
  constexpr int64_t kPart = 1 << 15;
  std::vector<double> squares((size_ + kPart - 1) / kPart);
  at::parallel_for(0, static_cast<int64_t>(squares.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const float* g = gradients_.data() + part * kPart;
      const int64_t count = std::min(kPart, size_ - part * kPart);
      std::array<double, 8> sums{};
      int64_t i = 0;
      for (; i + 8 <= count; i += 8) {
        for (int64_t lane = 0; lane < 8; ++lane) sums[lane] += static_cast<double>(g[i + lane]) * g[i + lane];
      }
      for (; i < count; ++i) sums[0] += static_cast<double>(g[i]) * g[i];
      squares[part] = std::accumulate(sums.begin(), sums.end(), 0.0);
    }
  });
  const double norm = std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
  return static_cast<float>(std::min(most / (norm + 1e-6), 1.0));
}

void Parameters::update(const Kernels& kernels, const AdamOptions& options, int64_t step, double average_weight) {
  ++version_;
  AdamStep adam;
  adam.learning_rate = static_cast<float>(options.learning_rate);
  adam.weight_decay = static_cast<float>(options.weight_decay);
  adam.decoupled = options.decoupled_weight_decay;
  adam.bias_correction1 = static_cast<float>(1 - std::pow(0.9, static_cast<double>(step)));
  adam.bias_correction2_sqrt = static_cast<float>(std::sqrt(1 - std::pow(0.999, static_cast<double>(step))));
  adam.gradient_scale = options.clip_norm > 0 ? clipped(options.clip_norm) : 1;
  adam.average_weight = static_cast<float>(average_weight);
  const auto range = [&](int64_t first, int64_t last, const AdamStep& adam) {
    at::parallel_for(first, last, 1 << 15, [&](int64_t begin, int64_t end) {
      kernels.adam(weights_.data() + begin, gradients_.data() + begin, first_moments_.data() + begin,
                   second_moments_.data() + begin, keeps_averages_ ? averages_.data() + begin : nullptr, end - begin,
                   adam);
    });
  };
  if (options.weight_decay == 0 || options.decay_norms) return range(0, size_, adam);
  AdamStep of_vectors = adam;
  of_vectors.weight_decay = 0;
  // Neighbours with the same decay are one range.
  int64_t begin = 0;
  for (size_t i = 0; i < layouts_.size(); ++i) {
    const bool is_last = i + 1 == layouts_.size();
    if (!is_last && layouts_[i + 1].is_vector == layouts_[i].is_vector) continue;
    const int64_t end =
        is_last ? layouts_[i].live + layouts_[i].live_taps * layouts_[i].tap_size() : layouts_[i + 1].live;
    range(begin, end, layouts_[i].is_vector ? of_vectors : adam);
    begin = end;
  }
  range(begin, size_, adam);  // dead taps
}

namespace {

// Calls f(flat index, index into the tensor's memory) for every value in the buffers.
template <typename F>
void each_value(const Layout& layout, bool whole, const at::Tensor& tensor, F f) {
  const bool convolution = tensor.dim() == 4;
  const int64_t width = convolution ? tensor.size(3) : 1;
  const int64_t by_output = tensor.stride(0), by_input = tensor.dim() > 1 ? tensor.stride(1) : 0;
  const int64_t by_row = convolution ? tensor.stride(2) : 0, by_column = convolution ? tensor.stride(3) : 0;
  at::parallel_for(0, layout.outputs, 1, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      for (int64_t tap = 0; tap < static_cast<int64_t>(layout.rank.size()); ++tap) {
        if (!whole && layout.rank[tap] >= layout.live_taps) continue;
        const int64_t from = o * by_output + tap / width * by_row + tap % width * by_column;
        const int64_t to = layout.at(o, 0, tap);
        for (int64_t i = 0; i < layout.inputs; ++i) f(to + i * layout.panel, from + i * by_input);
      }
    }
  });
}

void copy_in(const Layout& layout, bool whole, const at::Tensor& tensor, Buffer& buffer) {
  const float* from = tensor.const_data_ptr<float>();
  float* to = buffer.data();
  each_value(layout, whole, tensor, [=](int64_t flat, int64_t at) { to[flat] = from[at]; });
}

void copy_out(const Layout& layout, bool whole, const Buffer& buffer, const at::Tensor& tensor) {
  const float* from = buffer.data();
  float* to = tensor.mutable_data_ptr<float>();
  each_value(layout, whole, tensor, [=](int64_t flat, int64_t at) { to[at] = from[flat]; });
}

}  // namespace

// parameters[i] belongs to layouts_[i]; Adam's state() is "step" and then two tensors per parameter.
void Parameters::read(const std::vector<NamedTensor>& parameters, const std::vector<NamedTensor>& adam_state,
                      const std::vector<NamedTensor>* averages) {
  ++version_;
  for (size_t i = 0; i < layouts_.size(); ++i) {
    copy_in(layouts_[i], whole_, parameters[i].tensor, weights_);
    copy_in(layouts_[i], whole_, adam_state[1 + 2 * i].tensor, first_moments_);
    copy_in(layouts_[i], whole_, adam_state[2 + 2 * i].tensor, second_moments_);
    if (averages != nullptr) copy_in(layouts_[i], whole_, (*averages)[i].tensor, averages_);
  }
}

void Parameters::write(const std::vector<NamedTensor>& parameters, const std::vector<NamedTensor>& adam_state,
                       const std::vector<NamedTensor>* averages) const {
  for (size_t i = 0; i < layouts_.size(); ++i) {
    copy_out(layouts_[i], whole_, weights_, parameters[i].tensor);
    copy_out(layouts_[i], whole_, first_moments_, adam_state[1 + 2 * i].tensor);
    copy_out(layouts_[i], whole_, second_moments_, adam_state[2 + 2 * i].tensor);
    if (averages != nullptr) copy_out(layouts_[i], whole_, averages_, (*averages)[i].tensor);
  }
}

void Parameters::write_gradients(const std::vector<NamedTensor>& parameters) const {
  for (size_t i = 0; i < layouts_.size(); ++i) {
    const at::Tensor gradient = at::zeros_like(parameters[i].tensor);
    copy_out(layouts_[i], whole_, gradients_, gradient);
    parameters[i].tensor.mutable_grad() = gradient;
  }
}

}  // namespace chestmnist::cpu
