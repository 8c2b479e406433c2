#include "cpu/augment.h"

#include <algorithm>

namespace chestmnist::cpu {

ImageReader::ImageReader(int64_t input_size, int64_t channels) : input_size_(input_size), channels_(channels) {
  for (int value = 0; value < 256; ++value) {
    normalised_[value] = (static_cast<float>(value) / 255.0F - 0.5F) / 0.5F;
  }
}

void ImageReader::read(const Split& split, const Augmentation& augmentation, int64_t index, float* to,
                       std::vector<float>& scratch) const {
  const int64_t count = channels_ * input_size_ * input_size_;
  scratch.resize(2 * count);
  read_own(split, augmentation, index, to, scratch.data());
  if (!augmentation.partners.defined()) return;
  const float share = augmentation.shares.const_data_ptr<float>()[index];
  if (share == 1) return;
  float* partner = scratch.data() + count;
  read_own(split, augmentation, augmentation.partners.const_data_ptr<int64_t>()[index], partner, scratch.data());
  for (int64_t i = 0; i < count; ++i) to[i] = to[i] * share + partner[i] * (1 - share);
}

void ImageReader::read_own(const Split& split, const Augmentation& augmentation, int64_t index, float* to,
                           float* resized) const {
  const int64_t size = split.images.size(1), count = channels_ * input_size_ * input_size_;
  const uint8_t* image = split.images.const_data_ptr<uint8_t>() + index * size * size * channels_;
  if (augmentation.geometry.defined()) {
    resize(image, size, resized);
    sample(augmentation.geometry.const_data_ptr<float>() + index * 6, resized, to);
  } else {
    resize(image, size, to);
  }
  if (augmentation.intensity.defined()) {
    const float* values = augmentation.intensity.const_data_ptr<float>() + index * 2;
    const float gain = values[0], offset = values[1];
    for (int64_t i = 0; i < count; ++i) to[i] = std::min(std::max(to[i] * gain + offset, -1.0F), 1.0F);
  }
  if (augmentation.erased.defined()) {
    const int64_t* box = augmentation.erased.const_data_ptr<int64_t>() + index * 4;
    const auto inside = [&](int64_t value) { return std::clamp<int64_t>(value, 0, input_size_); };
    const int64_t top = inside(box[0]), left = inside(box[1]), bottom = inside(box[2]), right = inside(box[3]);
    for (int64_t c = 0; c < channels_; ++c) {
      for (int64_t i = top; i < bottom; ++i) {
        float* row = to + (c * input_size_ + i) * input_size_;
        if (left < right) std::fill(row + left, row + right, 0.0F);
      }
    }
  }
}

void ImageReader::resize(const uint8_t* image, int64_t size, float* to) const {
  for (int64_t c = 0; c < channels_; ++c) {
    for (int64_t i = 0; i < input_size_; ++i) {
      const uint8_t* row = image + source(i, size) * size * channels_ + c;
      for (int64_t j = 0; j < input_size_; ++j) *to++ = normalised_[row[source(j, size) * channels_]];
    }
  }
}

// torch's affine_grid and bilinear grid_sample with the values of the edge outside (align_corners=False).
void ImageReader::sample(const float* theta, const float* from, float* to) const {
  const int64_t side = input_size_, area = side * side;
  const auto size = static_cast<float>(side), last = size - 1;
  for (int64_t i = 0; i < side; ++i) {
    const float y = static_cast<float>(2 * i + 1) / size - 1;
    for (int64_t j = 0; j < side; ++j) {
      const float x = static_cast<float>(2 * j + 1) / size - 1;
      const auto place = [&](const float* row) {
        const float at = ((row[0] * x + row[1] * y + row[2] + 1) * size - 1) / 2;
        return std::min(std::max(at, 0.0F), last);  // 0 for NaN
      };
      const float u = place(theta), v = place(theta + 3);
      const auto u0 = static_cast<int64_t>(u), v0 = static_cast<int64_t>(v);
      const int64_t right = u0 + 1 < side ? 1 : 0, below = v0 + 1 < side ? side : 0;
      const float du = u - static_cast<float>(u0), dv = v - static_cast<float>(v0);
      const float* pixel = from + v0 * side + u0;
      float* value = to + i * side + j;
      for (int64_t c = 0; c < channels_; ++c, pixel += area, value += area) {
        const float above = pixel[0] * (1 - du) + pixel[right] * du;
        const float under = pixel[below] * (1 - du) + pixel[below + right] * du;
        *value = above * (1 - dv) + under * dv;
      }
    }
  }
}

}  // namespace chestmnist::cpu
