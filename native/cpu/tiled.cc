#include "cpu/tiled.h"

#include <array>
#include <vector>

namespace chestmnist::cpu {

namespace {

// Words of a block of `batch` rows as an operand.
int64_t block_words(int64_t batch) { return (batch + kStep - 1) / kStep * kStepWords; }

// The thread's tiles are configured for as long as it lives.
class Section {
 public:
  explicit Section(const TileKernels& kernels) : kernels_(kernels) { kernels_.enter(); }
  ~Section() { kernels_.leave(); }
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

 private:
  const TileKernels& kernels_;
};

}  // namespace

template <typename F>
void Tiled::share_out_tiles(int64_t count, F f) const {
  share_out(count, f, [this] { return Section(tiles_.kernels); });
}

const uint32_t* Tiled::operands(void (*make)(const float*, int64_t, uint32_t*), const float* x, int64_t blocks,
                                int64_t batch, Words& words) const {
  const int64_t size = block_words(batch);
  uint32_t* const to = words.at_least(blocks * size);
  share_out(blocks, [&](int64_t block) { make(x + block * batch * kStep, batch, to + block * size); });
  return to;
}

const uint32_t* Tiled::packed(const Parameters& parameters, size_t weight, bool transposed, Packed& packed) const {
  if (packed.version == parameters.version()) return packed.words.data();
  const float* from = parameters.weights(weight);
  const int64_t x_panels = x_channels_ / kStep, y_panels = y_channels_ / kStep;
  uint32_t* const to = packed.words.at_least(taps_ * x_panels * y_panels * kStepWords);
  share_out(taps_ * y_panels, [&](int64_t task) {
    const int64_t tap = task / y_panels, o = task % y_panels;
    for (int64_t i = 0; i < x_panels; ++i) {
      const float* block = from + (task * x_panels + i) * kStep * kStep;
      if (transposed) {
        tiles_.operands.transposed_pairs(block, to + ((tap * x_panels + i) * y_panels + o) * kStepWords);
      } else {
        tiles_.operands.pairs(block, kStep, to + (task * x_panels + i) * kStepWords);
      }
    }
  });
  packed.version = parameters.version();
  return to;
}

void Tiled::gather(Workspace& workspace, const uint32_t* weights, const Terms& terms, const float* x,
                   int64_t x_positions, int64_t x_channels, int64_t batch, bool accumulate, float* y,
                   int64_t y_channels, const Finish& finish) const {
  const int64_t x_panels = x_channels / kStep, y_panels = y_channels / kStep, size = block_words(batch);
  const uint32_t* from = operands(tiles_.operands.rows, x, x_positions * x_panels, batch, workspace.left);
  share_out_tiles(static_cast<int64_t>(terms.size()) * y_panels, [&](int64_t task) {
    const int64_t position = task / y_panels, p = task % y_panels;
    const auto& of_position = terms[position];
    constexpr int64_t kMostTerms = 9;  // the taps of a kernel
    std::array<TileSegment, kMostTerms> segments;
    for (size_t i = 0; i < of_position.size(); ++i) {
      const auto& [tap, at] = of_position[i];
      segments[i] = {from + at * x_panels * size, weights + (tap * y_panels + p) * x_panels * kStepWords};
    }
    float* const block = y + task * batch * kStep;
    tiles_.kernels.product(
        {segments.data(), static_cast<int64_t>(of_position.size()), x_panels, size, block, batch, accumulate});
    if (finish) finish(position, p, block);
  });
}

void Tiled::forward(const Parameters& parameters, size_t weight, Workspace& workspace, const Terms& terms,
                    const float* x, int64_t x_positions, int64_t batch, float* y, const Finish& finish) {
  const uint32_t* weights = packed(parameters, weight, /*transposed=*/false, forward_);
  gather(workspace, weights, terms, x, x_positions, x_channels_, batch, /*accumulate=*/false, y, y_channels_, finish);
}

void Tiled::backward_data(const Parameters& parameters, size_t weight, Workspace& workspace, const Terms& terms,
                          const float* dy, int64_t y_positions, int64_t batch, bool accumulate, float* dx,
                          const Finish& finish) {
  const uint32_t* weights = packed(parameters, weight, /*transposed=*/true, transposed_);
  gather(workspace, weights, terms, dy, y_positions, y_channels_, batch, accumulate, dx, x_channels_, finish);
}

void Tiled::weight_gradient(Workspace& workspace, const std::vector<std::vector<Pair>>& pairs_of_tap, const float* x,
                            int64_t x_positions, const float* dy, int64_t y_positions, int64_t batch,
                            float* gradients) const {
  const int64_t x_panels = x_channels_ / kStep, y_panels = y_channels_ / kStep, size = block_words(batch);
  const uint32_t* left = operands(tiles_.operands.columns, x, x_positions * x_panels, batch, workspace.left);
  const uint32_t* right = operands(tiles_.operands.pairs, dy, y_positions * y_panels, batch, workspace.right);
  share_out_tiles(taps_ * y_panels * x_panels, [&](int64_t task) {
    const int64_t tap = task / x_panels / y_panels, o = task / x_panels % y_panels, i = task % x_panels;
    const auto& pairs = pairs_of_tap[tap];
    std::vector<TileSegment> segments;
    segments.reserve(pairs.size());
    for (const auto& [in, out] : pairs) {
      segments.push_back({left + (in * x_panels + i) * size, right + (out * y_panels + o) * size});
    }
    tiles_.kernels.product({segments.data(), static_cast<int64_t>(segments.size()), size / kStepWords, kStepWords,
                            gradients + task * kStep * kStep, kStep, /*accumulate=*/false});
  });
}

}  // namespace chestmnist::cpu
