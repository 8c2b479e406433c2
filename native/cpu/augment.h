// One image of a split, resized, augmented and normalised, as core/dataset.cc computes it with LibTorch's operators.
#pragma once

#include <array>
#include <vector>

#include "core/dataset.h"

namespace chestmnist::cpu {

class ImageReader {
 public:
  ImageReader(int64_t input_size, int64_t channels);

  // Bytes to normalised values, (x/255 - 0.5)/0.5.
  const std::array<float, 256>& normalised() const { return normalised_; }
  // The row, or column, of an image with `size` pixels a side that the input's row `i` shows.
  int64_t source(int64_t i, int64_t size) const { return (2 * i + 1) * size / (2 * input_size_); }

  // Writes image `index` as planes [channels, S, S]. `scratch` keeps its memory from image to image.
  void read(const Split& split, const Augmentation& augmentation, int64_t index, float* to,
            std::vector<float>& scratch) const;

 private:
  void read_own(const Split& split, const Augmentation& augmentation, int64_t index, float* to, float* resized) const;
  void resize(const uint8_t* image, int64_t size, float* to) const;
  void sample(const float* theta, const float* from, float* to) const;

  int64_t input_size_, channels_;
  std::array<float, 256> normalised_;
};

}  // namespace chestmnist::cpu
