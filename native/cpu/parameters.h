// The parameters in the kernels' layout: four flat buffers (weights, gradients, Adam's two moments). Live taps, which
// see the map, come first; dead taps, which only ever see padding, follow. A dead tap's gradient is exactly zero, so
// without weight decay Adam leaves it and its moments unchanged, and the buffers omit the dead range.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/optimizer.h"
#include "core/resnet.h"
#include "cpu/kernels/kernels.h"

namespace chestmnist::cpu {

// Zeroed floats. Pages that are never written use no memory.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t count);
  // The memory; replaced by a larger, zeroed one if it has fewer than `count` floats.
  float* at_least(int64_t count) {
    if (count > count_) *this = Buffer(count);
    return data();
  }
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(float* data) const { std::free(data); }
  };
  int64_t count_ = 0;
  std::unique_ptr<float, Free> data_;
};

// One parameter of shape [outputs, inputs, taps]: a convolution's weight, or a vector (inputs = taps = 1). In memory
// [tap in rank order][output panel][input][output within the panel].
struct Layout {
  std::string name;
  int64_t outputs, padded_outputs, inputs, panel;
  std::vector<int64_t> rank;  // per tap: its place in memory, live taps first
  int64_t live_taps;
  int64_t live = 0, dead = 0;  // offsets of the two ranges

  int64_t tap_size() const { return padded_outputs * inputs; }
  int64_t at(int64_t output, int64_t input, int64_t tap) const {
    const int64_t r = rank[tap];
    const int64_t base = r < live_taps ? live + r * tap_size() : dead + (r - live_taps) * tap_size();
    return base + (output / panel * inputs + input) * panel + output % panel;
  }
};

class Parameters {
 public:
  explicit Parameters(bool weight_decay) : whole_(weight_decay) {}

  // A weight [outputs, inputs, taps]; returns its index. `live[tap]` is true for taps that see the map.
  size_t add(std::string name, int64_t outputs, int64_t inputs, std::vector<bool> live, int64_t panel);
  size_t add_vector(std::string name, int64_t size) { return add(std::move(name), size, 1, {true}, size); }
  // Assigns every parameter its offset; nothing can be added afterwards.
  void allocate();

  const Layout& layout(size_t index) const { return layouts_[index]; }
  float* weights(size_t index) { return weights_.data() + layouts_[index].live; }
  float* gradients(size_t index) { return gradients_.data() + layouts_[index].live; }

  // One Adam update.
  void update(const Kernels& kernels, const AdamOptions& options, int64_t step);

  // Copy between torchvision's tensors and the flat buffers. `adam_state` is in the order of Adam's state().
  void read(const std::vector<NamedTensor>& parameters, const std::vector<NamedTensor>& adam_state);
  void write(const std::vector<NamedTensor>& parameters, const std::vector<NamedTensor>& adam_state) const;
  // Sets the gradient of each parameter tensor.
  void write_gradients(const std::vector<NamedTensor>& parameters) const;

 private:
  bool whole_;  // the buffers hold dead taps too
  std::vector<Layout> layouts_;
  int64_t size_ = 0;
  Buffer weights_, gradients_, first_moments_, second_moments_;
};

}  // namespace chestmnist::cpu
