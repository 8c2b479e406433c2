#include "cpu/execution.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace chestmnist {

namespace cpu {

FastExecution::FastExecution(const Kernels& kernels, ResNet18& model, Adam& optimizer, const ExecutionOptions& options)
    : kernels_(kernels),
      model_(model),
      optimizer_(optimizer),
      input_size_(options.input_size),
      parameters_(optimizer.options().weight_decay != 0),
      network_(kernels, parameters_, options, model.parameters().back().tensor.size(0)) {
  for (int value = 0; value < 256; ++value) {
    normalised_[value] = (static_cast<float>(value) / 255.0F - 0.5F) / 0.5F;
  }
  // The running statistics stay in the model's tensors.
  for (const auto& [name, norm] : network_.norms()) {
    for (const auto& [entry, tensor] : model.state()) {
      if (entry == name + ".running_mean") norm->running_mean = tensor;
      if (entry == name + ".running_var") norm->running_var = tensor;
      if (entry == name + ".num_batches_tracked") norm->num_batches_tracked = tensor;
    }
  }
}

void FastExecution::use(bool changes) {
  if (in_tensors_) {
    parameters_.read(model_.parameters(), optimizer_.state());
    step_ = static_cast<int64_t>(optimizer_.state().front().tensor.item<float>());
    in_tensors_ = false;
  }
  in_buffers_ = in_buffers_ || changes;
}

void FastExecution::flush() {
  if (!in_buffers_) return;
  at::NoGradGuard no_grad;
  parameters_.write(model_.parameters(), optimizer_.state());
  optimizer_.state().front().tensor.fill_(static_cast<double>(step_));
  in_buffers_ = false;
}

void FastExecution::gather(const Split& split, const int32_t* index, int64_t first, int64_t batch, bool labels) {
  const auto* images = split.images.const_data_ptr<uint8_t>();
  const int64_t channels = network_.input_channels(), size = split.images.size(1), bytes = size * size * channels;
  const int64_t padding = network_.input_padding(), stride = network_.padded_input().width;
  float* x = network_.input(/*training=*/labels, batch);
  const auto sample = [&](int64_t b) { return index ? index[b] : first + b; };
  // The border is written too: it may hold values of another batch size.
  at::parallel_for(0, network_.padded_input().height, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t column = 0; column < stride; ++column) {
        float* to = x + (row * stride + column) * channels * batch;
        const int64_t i = row - padding, j = column - padding;
        if (i < 0 || i >= input_size_ || j < 0 || j >= input_size_) {
          std::fill_n(to, channels * batch, 0.0F);
          continue;
        }
        // Nearest neighbour at pixel centres, as in dataset.cc.
        const int64_t from = (2 * i + 1) * size / (2 * input_size_) * size + (2 * j + 1) * size / (2 * input_size_);
        for (int64_t c = 0; c < channels; ++c) {
          const uint8_t* pixel = images + from * channels + c;
          for (int64_t b = 0; b < batch; ++b) to[c * batch + b] = normalised_[pixel[sample(b) * bytes]];
        }
      }
    }
  });
  if (!labels) return;
  const int64_t width = split.labels.size(1);
  const auto* values = split.labels.const_data_ptr<uint8_t>();
  labels_.resize(batch * width);
  for (int64_t b = 0; b < batch; ++b) std::copy_n(values + sample(b) * width, width, labels_.data() + b * width);
}

void FastExecution::begin_epoch(const Split& split, c10::ArrayRef<int32_t> order) {
  split_ = &split;
  order_ = order;
  loss_sum_ = 0;
}

double FastExecution::forward_backward(int64_t batch) {
  logits_.resize(labels_.size());
  network_.forward(/*training=*/true, batch, logits_.data());
  return network_.backward(logits_.data(), labels_.data(), batch);
}

void FastExecution::train_batch(int64_t begin, int64_t end) {
  use(/*changes=*/true);
  const int64_t batch = end - begin;
  gather(*split_, order_.data() + begin, 0, batch, /*labels=*/true);
  const auto loss = static_cast<float>(forward_backward(batch));
  loss_sum_ += loss * static_cast<double>(batch);
  parameters_.update(kernels_, optimizer_.options(), ++step_);
}

void FastExecution::predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) {
  use(/*changes=*/false);
  const int64_t batch = end - begin;
  gather(split, nullptr, begin, batch, /*labels=*/false);
  network_.forward(/*training=*/false, batch, logits);
}

double FastExecution::backward(const Split& split, c10::ArrayRef<int32_t> order) {
  use(/*changes=*/false);
  std::vector<at::Tensor> buffers;
  for (const auto& [name, tensor] : model_.state()) {
    if (!tensor.requires_grad()) buffers.push_back(tensor.clone());
  }
  const auto batch = static_cast<int64_t>(order.size());
  gather(split, order.data(), 0, batch, /*labels=*/true);
  const double loss = forward_backward(batch);
  parameters_.write_gradients(model_.parameters());
  auto before = buffers.begin();
  for (const auto& [name, tensor] : model_.state()) {
    if (!tensor.requires_grad()) tensor.copy_(*before++);
  }
  return loss;
}

}  // namespace cpu

}  // namespace chestmnist
