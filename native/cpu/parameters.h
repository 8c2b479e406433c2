// The parameters in the kernels' layout: four flat buffers (weights, gradients, Adam's two moments). Live taps, which
// see the map, come first; dead taps, which only ever see padding, follow. A dead tap's gradient is exactly zero, so
// without weight decay Adam leaves it and its moments unchanged, and the buffers omit the dead range.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "core/optimizer.h"
#include "core/resnet.h"
#include "cpu/kernels/kernels.h"

namespace chestmnist::cpu {

// Zeroed values, which begin at a cache line. Pages that are never written use no memory.
template <typename Value>
class Memory {
 public:
  Memory() = default;
  explicit Memory(int64_t count)
      : count_(count), whole_(std::calloc(static_cast<size_t>(count) * sizeof(Value) + kLine, 1)) {
    if (!whole_) throw std::bad_alloc();
    data_ = reinterpret_cast<Value*>((reinterpret_cast<uintptr_t>(whole_.get()) + kLine - 1) / kLine * kLine);
  }
  // The memory; replaced by a larger, zeroed one if it has fewer than `count` values.
  Value* at_least(int64_t count) {
    if (count > count_) *this = Memory(count);
    return data();
  }
  Value* data() { return data_; }
  const Value* data() const { return data_; }

 private:
  static constexpr uintptr_t kLine = 64;
  struct Free {
    void operator()(void* data) const { std::free(data); }
  };
  int64_t count_ = 0;
  std::unique_ptr<void, Free> whole_;
  Value* data_ = nullptr;
};
using Buffer = Memory<float>;
using Words = Memory<uint32_t>;  // two bfloat16 each

// One parameter of shape [outputs, inputs, taps]: a convolution's weight, or a vector (inputs = taps = 1). In memory
// [tap in rank order][output panel][input][output within the panel].
struct Layout {
  std::string name;
  int64_t outputs, padded_outputs, inputs, panel;
  std::vector<int64_t> rank;  // per tap: its place in memory, live taps first
  int64_t live_taps;
  int64_t live = 0, dead = 0;  // offsets of the two ranges
  bool is_vector = false;      // a norm's weight, or a bias

  int64_t tap_size() const { return padded_outputs * inputs; }
  int64_t at(int64_t output, int64_t input, int64_t tap) const {
    const int64_t r = rank[tap];
    const int64_t base = r < live_taps ? live + r * tap_size() : dead + (r - live_taps) * tap_size();
    return base + (output / panel * inputs + input) * panel + output % panel;
  }
};

class Parameters {
 public:
  Parameters(bool weight_decay, bool averages) : whole_(weight_decay), keeps_averages_(averages) {}

  // A weight [outputs, inputs, taps]; returns its index. `live[tap]` is true for taps that see the map.
  size_t add(std::string name, int64_t outputs, int64_t inputs, std::vector<bool> live, int64_t panel);
  size_t add_vector(std::string name, int64_t size);
  // Assigns every parameter its offset; nothing can be added afterwards.
  void allocate();

  const Layout& layout(size_t index) const { return layouts_[index]; }
  float* weights(size_t index) { return weights_.data() + layouts_[index].live; }
  const float* weights(size_t index) const { return weights_.data() + layouts_[index].live; }
  // Rises whenever the weights change; from 1.
  int64_t version() const { return version_; }
  float* gradients(size_t index) { return gradients_.data() + layouts_[index].live; }

  // One Adam update; the averages move by `average_weight`, if they are kept.
  void update(const Kernels& kernels, const AdamOptions& options, int64_t step, double average_weight);

  // Copy between torchvision's tensors and the flat buffers. `adam_state` is in the order of Adam's state(); `averages`
  // is null where none are kept.
  void read(const std::vector<NamedTensor>& parameters, const std::vector<NamedTensor>& adam_state,
            const std::vector<NamedTensor>* averages);
  void write(const std::vector<NamedTensor>& parameters, const std::vector<NamedTensor>& adam_state,
             const std::vector<NamedTensor>* averages) const;
  // Sets the gradient of each parameter tensor.
  void write_gradients(const std::vector<NamedTensor>& parameters) const;

 private:
  // The factor on the gradients that keeps their norm within `most`.
  float clipped(double most) const;

  bool whole_;  // the buffers hold dead taps too
  bool keeps_averages_;
  std::vector<Layout> layouts_;
  int64_t size_ = 0, version_ = 1;
  Buffer weights_, gradients_, first_moments_, second_moments_;
  Buffer averages_;  // empty where none are kept
};

}  // namespace chestmnist::cpu
