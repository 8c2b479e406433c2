#include "cpu/winograd.h"

#include <array>

namespace chestmnist::cpu {

namespace {

// Images processed at a time: their transformed tiles fit in a core's own cache.
constexpr int64_t kImages = 32;
// Floats between blocks, one cache line: without them the sixteen blocks of a transform would share cache sets.
constexpr int64_t kPad = 16;
// Floats of transformed activations per pass of a weight gradient: as many as fit in the caches.
constexpr int64_t kTileFloats = 1 << 19;
// Tiles per product of a weight gradient: as many as fit in the L1 cache.
constexpr int64_t kSegments = 4;

}  // namespace

Winograd::Winograd(const Kernels& kernels, Map map)
    : kernels_(kernels), map_(map), tiles_{(map.height + kOut - 1) / kOut, (map.width + kOut - 1) / kOut} {}

bool Winograd::pays(Map map, int64_t pairs) {
  const int64_t tiles = ((map.height + kOut - 1) / kOut) * ((map.width + kOut - 1) / kOut);
  return tiles * kProducts * 8 < pairs * 7;  // 7/8 leaves room for the cost of the transforms
}

template <int64_t kSide>
std::array<int64_t, kSide * kSide> Winograd::positions(int64_t tile, int64_t origin) const {
  std::array<int64_t, kSide * kSide> found;
  for (int64_t i = 0; i < kSide * kSide; ++i) {
    const int64_t y = tile / tiles_.width * kOut + origin + i / kSide,
                  x = tile % tiles_.width * kOut + origin + i % kSide;
    found[i] = y >= 0 && y < map_.height && x >= 0 && x < map_.width ? y * map_.width + x : -1;
  }
  return found;
}

void Winograd::convolve(Workspace& workspace, const float* weights, bool reversed, const float* x, int64_t x_channels,
                        int64_t batch, bool accumulate, float* y, int64_t y_channels, const Finish& finish) const {
  const int64_t panel = kernels_.panel, x_panels = x_channels / panel, y_panels = y_channels / panel;
  const int64_t size = x_channels * y_channels, block = kImages * panel + kPad;
  float* transformed = workspace.transformed.at_least(kProducts * size);
  const float* zeros = workspace.zeros.at_least(block);
  share_out(y_panels, [&](int64_t p) {
    const int64_t at = p * x_channels * panel;
    std::array<const float*, 9> from;
    std::array<float*, kProducts> to;
    for (int64_t tap = 0; tap < 9; ++tap) from[tap] = weights + (reversed ? 8 - tap : tap) * size + at;
    for (int64_t k = 0; k < kProducts; ++k) to[k] = transformed + k * size + at;
    kernels_.winograd_weight(from.data(), to.data(), x_channels * panel, /*accumulate=*/false);
  });

  // A task computes one tile for a group of output panels. More than one group only if there are more threads than
  // half the tiles.
  const int64_t groups =
      std::clamp<int64_t>((2 * at::get_num_threads() + tiles_.positions() - 1) / tiles_.positions(), 1, y_panels);
  const int64_t per_thread = kProducts * block * (x_panels + 1) + block;
  float* const scratch = workspace.tiles.at_least(at::get_num_threads() * per_thread);
  share_out(tiles_.positions() * groups, [&](int64_t task) {
    const int64_t tile = task / groups, first = task % groups * y_panels / groups,
                  last = (task % groups + 1) * y_panels / groups;
    float* const inputs = scratch + at::get_thread_num() * per_thread;  // [16][x panel][images][P]
    float* const products = inputs + kProducts * block * x_panels;      // [16][images][P]
    float* const outside = products + kProducts * block;
    const auto in = positions<kIn>(tile, -1);
    const auto out = positions<kOut>(tile, 0);
    for (int64_t begin = 0; begin < batch; begin += kImages) {
      const int64_t rows = std::min(kImages, batch - begin);
      for (int64_t p = 0; p < x_panels; ++p) {
        std::array<const float*, kProducts> from;
        std::array<float*, kProducts> to;
        for (int64_t k = 0; k < kProducts; ++k) {
          from[k] = in[k] < 0 ? zeros : x + ((in[k] * x_panels + p) * batch + begin) * panel;
          to[k] = inputs + (k * x_panels + p) * block;
        }
        kernels_.winograd_input(from.data(), to.data(), rows * panel, /*accumulate=*/false);
      }
      for (int64_t p = first; p < last; ++p) {
        std::array<const float*, kProducts> from;
        std::array<float*, kOut * kOut> to;
        for (int64_t k = 0; k < kProducts; ++k) {
          const Segment segment{inputs + k * x_panels * block, transformed + k * size + p * x_channels * panel};
          kernels_.product({&segment, 1, x_channels, panel, 1, panel, block, products + k * block, rows, false});
          from[k] = products + k * block;
        }
        for (int64_t k = 0; k < kOut * kOut; ++k) {
          to[k] = out[k] < 0 ? outside : y + ((out[k] * y_panels + p) * batch + begin) * panel;
        }
        kernels_.winograd_output(from.data(), to.data(), rows * panel, accumulate);
      }
    }
    if (!finish) return;
    for (const int64_t position : out) {
      for (int64_t p = first; p < last && position >= 0; ++p) {
        finish(position, p, y + (position * y_panels + p) * batch * panel);
      }
    }
  });
}

void Winograd::weight_gradient(Workspace& workspace, const float* x, int64_t x_channels, const float* dy,
                               int64_t y_channels, int64_t batch, float* gradients) const {
  const int64_t panel = kernels_.panel, x_panels = x_channels / panel, y_panels = y_channels / panel;
  const int64_t size = x_channels * y_channels, block = kImages * panel + kPad, panels = x_panels + y_panels;
  const int64_t most = std::clamp<int64_t>(kTileFloats / (kProducts * block * panels), 1, tiles_.positions());
  float* const transformed = workspace.transformed.at_least(kProducts * size);
  const float* zeros = workspace.zeros.at_least(block);
  float* const scratch = workspace.tiles.at_least(most * kProducts * block * panels);
  // [tile][16][x panels, then y panels][images][P]
  const auto place = [&](int64_t tile, int64_t k, int64_t p) {
    return scratch + ((tile * kProducts + k) * panels + p) * block;
  };
  bool accumulate = false;
  for (int64_t begin = 0; begin < batch; begin += kImages) {
    const int64_t rows = std::min(kImages, batch - begin);
    for (int64_t first = 0; first < tiles_.positions(); first += most) {
      const int64_t count = std::min(most, tiles_.positions() - first);
      share_out(count * panels, [&](int64_t task) {
        const int64_t tile = task / panels, p = task % panels, y_panel = p - x_panels;
        std::array<float*, kProducts> to;
        for (int64_t k = 0; k < kProducts; ++k) to[k] = place(tile, k, p);
        if (p < x_panels) {
          std::array<const float*, kIn * kIn> from;
          const auto in = positions<kIn>(first + tile, -1);
          for (int64_t k = 0; k < kIn * kIn; ++k) {
            from[k] = in[k] < 0 ? zeros : x + ((in[k] * x_panels + p) * batch + begin) * panel;
          }
          kernels_.winograd_input(from.data(), to.data(), rows * panel, /*accumulate=*/false);
        } else {
          std::array<const float*, kOut * kOut> from;
          const auto out = positions<kOut>(first + tile, 0);
          for (int64_t k = 0; k < kOut * kOut; ++k) {
            from[k] = out[k] < 0 ? zeros : dy + ((out[k] * y_panels + y_panel) * batch + begin) * panel;
          }
          kernels_.winograd_output_gradient(from.data(), to.data(), rows * panel, /*accumulate=*/false);
        }
      });
      share_out(kProducts * y_panels * x_panels, [&](int64_t task) {
        const int64_t k = task / x_panels / y_panels, o = task / x_panels % y_panels, i = task % x_panels;
        float* c = transformed + k * size + (o * x_channels + i * panel) * panel;
        for (int64_t tile = 0; tile < count; tile += kSegments) {
          std::array<Segment, kSegments> segments;
          const int64_t used = std::min(kSegments, count - tile);
          for (int64_t n = 0; n < used; ++n) segments[n] = {place(tile + n, k, i), place(tile + n, k, x_panels + o)};
          kernels_.product({segments.data(), used, rows, 1, panel, rows, 0, c, panel, accumulate || tile > 0});
        }
      });
      accumulate = true;
    }
  }
  share_out(y_panels, [&](int64_t p) {
    const int64_t at = p * x_channels * panel;
    std::array<const float*, kProducts> from;
    std::array<float*, 9> to;
    for (int64_t k = 0; k < kProducts; ++k) from[k] = transformed + k * size + at;
    for (int64_t tap = 0; tap < 9; ++tap) to[tap] = gradients + tap * size + at;
    kernels_.winograd_weight_gradient(from.data(), to.data(), x_channels * panel, /*accumulate=*/false);
  });
}

}  // namespace chestmnist::cpu
