// A split held as uint8 on the device, and the batch made from it: gather, resize, normalise; gray becomes 3 channels.
// Not here: reading files and drawing the order, which TypeScript does.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/augmentation.h"

namespace chestmnist {

struct Split {
  at::Tensor images;  // uint8: gray [N, H, W], the one plane that three equal channels share, or RGB [N, H, W, 3]
  at::Tensor labels;  // [N, L] uint8 of 0/1; undefined for images to predict

  int64_t count() const { return images.size(0); }
};

// Copies host memory to the device. `labels` may be null.
Split make_split(const uint8_t* images, at::IntArrayRef shape, const uint8_t* labels, int64_t label_count,
                 at::Device device);

struct Batch {
  at::Tensor images;  // [B, 3, S, S], channels_last, (x/255 - 0.5)/0.5
  at::Tensor labels;  // [B, L] from 0 to 1, or undefined
};

// Some samples of a split and what happens to each; all [B, ...] on the device.
struct Samples {
  at::Tensor index;  // [B] int64
  Augmentation own;
  Augmentation of_partners = {};  // the rows of own.partners

  static Samples at(const at::Tensor& index, const Augmentation& all);
};

// The samples as `dtype`, resized to S = input_size by nearest neighbour at pixel centres (PIL's and torch's
// "nearest-exact"), then augmented.
Batch gather(const Split& split, const Samples& samples, int64_t input_size, at::ScalarType dtype);

}  // namespace chestmnist
