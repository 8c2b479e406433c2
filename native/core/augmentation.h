// What happens to each image of a split in an epoch: values drawn in TypeScript (src/recipe/augment.ts) from the seed,
// the epoch and the image's index, so that they depend neither on the batch nor on the number of threads or processes.
#pragma once

#include <ATen/core/Tensor.h>

namespace chestmnist {

// One row per image of the split, on its device. An undefined tensor: nothing of that kind. They apply in this order.
struct Augmentation {
  // [N, 6] float32: the affine map from a place in the result to its place in the image, row by row; both in units of
  // half the image's side around its centre, as torch's affine_grid (align_corners=False) has it. Bilinear, and what
  // lies outside has the value of the edge.
  at::Tensor geometry;
  // [N, 2] float32: gain and offset of the normalised value, which stays within -1 and 1.
  at::Tensor intensity;
  // [N, 4] int64: top, left, bottom and right of a rectangle of the network's input, set to 0; bottom and right are not
  // part of it.
  at::Tensor erased;
  // [N] int64 and [N] float32: another image of the split, with its own augmentation, and the share of the image
  // itself in the mixture of images and of labels.
  at::Tensor partners, shares;

  bool changes_images() const {
    return geometry.defined() || intensity.defined() || erased.defined() || partners.defined();
  }

  Augmentation to(at::Device device) const {
    const auto moved = [&](const at::Tensor& rows) { return rows.defined() ? rows.to(device) : rows; };
    return {moved(geometry), moved(intensity), moved(erased), moved(partners), moved(shares)};
  }

  // The rows at `index` ([B] int64 on the device).
  Augmentation at(const at::Tensor& index) const {
    const auto rows = [&](const at::Tensor& all) { return all.defined() ? all.index_select(0, index) : all; };
    return {rows(geometry), rows(intensity), rows(erased), rows(partners), rows(shares)};
  }
};

}  // namespace chestmnist
