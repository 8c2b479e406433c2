#include "cpu/execution.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace chestmnist {

namespace cpu {

FastExecution::FastExecution(const Kernels& kernels, const Tiles* tiles, ResNet18& model, Adam& optimizer,
                             Averages* averages, const ExecutionOptions& options)
    : kernels_(kernels),
      name_(tiles ? "fast-bf16" : "fast"),
      model_(model),
      optimizer_(optimizer),
      averages_(averages),
      input_size_(options.input_size),
      loss_(options.loss),
      parameters_(optimizer.options().weight_decay != 0, averages != nullptr),
      network_(kernels, tiles, parameters_, options, model.parameters().back().tensor.size(0)),
      images_(options.input_size, options.channels) {
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
    parameters_.read(model_.parameters(), optimizer_.state(), averages_ ? &averages_->parameters() : nullptr);
    step_ = static_cast<int64_t>(optimizer_.state().front().tensor.item<float>());
    in_tensors_ = false;
  }
  in_buffers_ = in_buffers_ || changes;
}

void FastExecution::flush() {
  if (!in_buffers_) return;
  at::NoGradGuard no_grad;
  parameters_.write(model_.parameters(), optimizer_.state(), averages_ ? &averages_->parameters() : nullptr);
  optimizer_.state().front().tensor.fill_(static_cast<double>(step_));
  in_buffers_ = false;
}

template <typename Value>
void FastExecution::fill_input(int64_t batch, float* x, Value value) {
  const int64_t channels = network_.input_channels();
  const int64_t padding = network_.input_padding(), stride = network_.padded_input().width;
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
        for (int64_t c = 0; c < channels; ++c) value(i, j, c, to + c * batch);
      }
    }
  });
}

template <typename Sample>
void FastExecution::gather_as_they_are(const Split& split, int64_t batch, float* x, Sample sample) {
  const auto* images = split.images.const_data_ptr<uint8_t>();
  const int64_t channels = network_.input_channels(), size = split.images.size(1), bytes = size * size * channels;
  const std::array<float, 256>& normalised = images_.normalised();
  fill_input(batch, x, [&](int64_t i, int64_t j, int64_t c, float* to) {
    const uint8_t* pixel = images + (images_.source(i, size) * size + images_.source(j, size)) * channels + c;
    for (int64_t b = 0; b < batch; ++b) to[b] = normalised[pixel[sample(b) * bytes]];
  });
}

void FastExecution::gather(const Split& split, const int32_t* index, int64_t batch, const Augmentation& augmentation) {
  float* x = network_.input(/*training=*/true, batch);
  if (augmentation.changes_images()) {
    const int64_t area = input_size_ * input_size_, bytes = network_.input_channels() * area;
    augmented_.resize(batch * bytes);
    at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch;
      for (int64_t b = begin; b < end; ++b) {
        images_.read(split, augmentation, index[b], augmented_.data() + b * bytes, scratch);
      }
    });
    fill_input(batch, x, [&](int64_t i, int64_t j, int64_t c, float* to) {
      const float* value = augmented_.data() + c * area + i * input_size_ + j;
      for (int64_t b = 0; b < batch; ++b) to[b] = value[b * bytes];
    });
  } else {
    gather_as_they_are(split, batch, x, [&](int64_t b) { return index[b]; });
  }
  gather_targets(split, index, batch, augmentation);
}

void FastExecution::gather_targets(const Split& split, const int32_t* index, int64_t batch,
                                   const Augmentation& augmentation) {
  const int64_t width = split.labels.size(1);
  const auto* values = split.labels.const_data_ptr<uint8_t>();
  const auto kept = static_cast<float>(1 - loss_.smoothing), floor = static_cast<float>(loss_.floor(width));
  targets_.resize(batch * width);
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t sample = index[b];
    float* target = targets_.data() + b * width;
    std::copy_n(values + sample * width, width, target);
    if (augmentation.partners.defined()) {
      const float share = augmentation.shares.const_data_ptr<float>()[sample];
      const uint8_t* partner = values + augmentation.partners.const_data_ptr<int64_t>()[sample] * width;
      for (int64_t l = 0; l < width; ++l) target[l] = target[l] * share + static_cast<float>(partner[l]) * (1 - share);
    }
    if (loss_.smoothing == 0) continue;
    for (int64_t l = 0; l < width; ++l) target[l] = target[l] * kept + floor;
  }
}

void FastExecution::begin_epoch(const Split& split, c10::ArrayRef<int32_t> order, const Augmentation& augmentation) {
  split_ = &split;
  order_ = order;
  augmentation_ = augmentation;
  loss_sum_ = 0;
}

double FastExecution::forward_backward(int64_t batch) {
  logits_.resize(targets_.size());
  network_.forward(/*training=*/true, batch, logits_.data());
  return network_.backward(logits_.data(), targets_.data(), batch);
}

void FastExecution::train_batch(int64_t begin, int64_t end) {
  use(/*changes=*/true);
  const int64_t batch = end - begin;
  gather(*split_, order_.data() + begin, batch, augmentation_);
  const auto loss = static_cast<float>(forward_backward(batch));
  loss_sum_ += loss * static_cast<double>(batch);
  const double weight = averages_ ? averages_->weight_after(step_ + 1) : 0;
  parameters_.update(kernels_, optimizer_.options(), ++step_, weight);
  if (averages_) averages_->update_buffers(weight);
}

void FastExecution::predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) {
  use(/*changes=*/false);
  const int64_t batch = end - begin;
  gather_as_they_are(split, batch, network_.input(/*training=*/false, batch), [&](int64_t b) { return begin + b; });
  network_.forward(/*training=*/false, batch, logits);
}

void FastExecution::append_evidence(const Split&, int64_t begin, int64_t end, std::vector<float>& maps) {
  network_.append_evidence(end - begin, maps);
}

double FastExecution::backward(const Split& split, c10::ArrayRef<int32_t> order, const Augmentation& augmentation) {
  use(/*changes=*/false);
  std::vector<at::Tensor> buffers;
  for (const auto& [name, tensor] : model_.state()) {
    if (!tensor.requires_grad()) buffers.push_back(tensor.clone());
  }
  const auto batch = static_cast<int64_t>(order.size());
  gather(split, order.data(), batch, augmentation);
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
