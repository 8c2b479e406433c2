#include "core/dataset.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
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

}  // namespace

Batch gather(const Split& split, const at::Tensor& index, int64_t input_size, at::ScalarType dtype) {
  at::Tensor x = split.images.index_select(0, index);  // [B, H, W] or [B, H, W, 3] uint8
  if (x.size(1) != input_size) x = x.index_select(1, nearest_index(x.size(1), input_size, x.device()));
  if (x.size(2) != input_size) x = x.index_select(2, nearest_index(x.size(2), input_size, x.device()));
  x = x.to(dtype).div_(255).sub_(0.5).div_(0.5);
  Batch batch;
  x = x.dim() == 4 ? x.permute({0, 3, 1, 2}) : x.unsqueeze(1).expand({-1, 3, -1, -1});  // [B, 3, S, S]
  batch.images = x.contiguous(at::MemoryFormat::ChannelsLast);
  if (split.labels.defined()) batch.labels = split.labels.index_select(0, index).to(dtype);
  return batch;
}

}  // namespace chestmnist
