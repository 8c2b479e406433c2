#include "core/dataset.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/affine_grid_generator.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/grid_sampler_2d.h>
#include <ATen/ops/index_select.h>

#include <cstring>

namespace chestmnist {

Split make_split(const uint8_t* images, at::IntArrayRef shape, const uint8_t* labels, int64_t label_count,
                 at::Device device) {
  // A copy, since JavaScript may reuse or detach its buffer.
  const auto copy = [&](const uint8_t* data, at::IntArrayRef shape) {
    // Copied here and not by an operator, which would start threads of OpenMP for the calling thread.
    const at::Tensor host = at::empty(shape, at::kByte);
    std::memcpy(host.mutable_data_ptr(), data, host.nbytes());
    return host.to(device);
  };
  Split split;
  split.images = copy(images, shape);
  if (labels != nullptr) split.labels = copy(labels, {shape[0], label_count});
  return split;
}

namespace {

// Source row of each target row: floor((i + 0.5) * from / to), in integers.
at::Tensor nearest_index(int64_t from, int64_t to, at::Device device) {
  const auto i = at::arange(to, at::TensorOptions().dtype(at::kLong).device(device));
  return i.mul(2).add_(1).mul_(from).floor_divide_(2 * to);
}

// [B, 1 or 3, S, S] in -1..1, without mixing.
at::Tensor images_of(const Split& split, const at::Tensor& index, const Augmentation& augmentation, int64_t input_size,
                     at::ScalarType dtype) {
  at::Tensor x = split.images.index_select(0, index);  // [B, H, W] or [B, H, W, 3] uint8
  if (x.size(1) != input_size) x = x.index_select(1, nearest_index(x.size(1), input_size, x.device()));
  if (x.size(2) != input_size) x = x.index_select(2, nearest_index(x.size(2), input_size, x.device()));
  x = x.to(dtype).div_(255).sub_(0.5).div_(0.5);
  x = x.dim() == 4 ? x.permute({0, 3, 1, 2}) : x.unsqueeze(1);
  const auto& [geometry, intensity, erased, partners, shares] = augmentation;
  if (geometry.defined()) {
    const at::Tensor theta = geometry.to(dtype).view({-1, 2, 3});
    const at::Tensor grid = at::affine_grid_generator(theta, x.sizes(), /*align_corners=*/false);
    x = at::grid_sampler_2d(x, grid, /*bilinear*/ 0, /*border*/ 1, /*align_corners=*/false);
  }
  if (intensity.defined()) {
    const auto column = [&](int64_t c) { return intensity.select(1, c).to(dtype).view({-1, 1, 1, 1}); };
    x = x.mul(column(0)).add_(column(1)).clamp_(-1, 1);
  }
  if (erased.defined()) {
    const auto column = [&](int64_t c) { return erased.select(1, c).view({-1, 1}); };
    const at::Tensor i = at::arange(input_size, erased.options()).unsqueeze(0);
    const at::Tensor rows = i.ge(column(0)).logical_and_(i.lt(column(2)));
    const at::Tensor columns = i.ge(column(1)).logical_and_(i.lt(column(3)));
    x = x.masked_fill(rows.unsqueeze(2).logical_and(columns.unsqueeze(1)).unsqueeze(1), 0);
  }
  return x;
}

}  // namespace

Samples Samples::at(const at::Tensor& index, const Augmentation& all) {
  Samples samples{index, all.at(index)};
  if (all.partners.defined()) samples.of_partners = all.at(samples.own.partners);
  return samples;
}

Batch gather(const Split& split, const Samples& samples, int64_t input_size, at::ScalarType dtype) {
  const auto& [index, own, of_partners] = samples;
  Batch batch;
  at::Tensor x = images_of(split, index, own, input_size, dtype);
  if (split.labels.defined()) batch.labels = split.labels.index_select(0, index).to(dtype);
  if (own.partners.defined()) {
    const at::Tensor share = own.shares.to(dtype).unsqueeze(1);
    const auto mix = [](const at::Tensor& a, const at::Tensor& b, const at::Tensor& share) {
      return a.mul(share).add_(b.mul(1 - share));
    };
    const at::Tensor y = images_of(split, own.partners, of_partners, input_size, dtype);
    x = mix(x, y, share.view({-1, 1, 1, 1}));
    batch.labels = mix(batch.labels, split.labels.index_select(0, own.partners).to(dtype), share);
  }
  batch.images = x.expand({-1, 3, -1, -1}).contiguous(at::MemoryFormat::ChannelsLast);  // gray becomes 3 channels
  return batch;
}

}  // namespace chestmnist
