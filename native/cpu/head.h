// The head on the kernels: fc of the average over the positions of the last layer's map, or attention over them
// (resnet.h has the formulas), with explicit forward and backward. In float32, whatever the layers before it are.
#pragma once

#include <optional>

#include "cpu/convolution.h"

namespace chestmnist::cpu {

class HeadLayers {
 public:
  // Adds fc.weight, fc.bias and, of attention, query.weight to `parameters`.
  HeadLayers(const Kernels& kernels, Parameters& parameters, Head head, Map map, int64_t label_count);

  void reserve(int64_t batch, bool training);
  // x: the last layer's map. Writes logits [B, L].
  void forward(Parameters& parameters, Workspace& workspace, const float* x, int64_t batch, float* logits);
  // From the x of the last forward() of one pass in evaluation mode: appends what each position adds (resnet.h).
  void append_evidence(Parameters& parameters, Workspace& workspace, const float* x, int64_t batch,
                       std::vector<float>& maps);
  // From the x of the last forward() and the gradients of its logits [B, L]: sets the gradients of the parameters and
  // writes that of x to dx. Each block of dx is passed to `receive`.
  void backward(Parameters& parameters, Workspace& workspace, const float* x, const float* d_logits, int64_t batch,
                float* dx, const Finish& receive);

 private:
  // Where the value of a label and an image is, in the blocks of a position.
  int64_t at(int64_t position, int64_t label, int64_t image, int64_t batch) const {
    const int64_t panel = kernels_.panel;
    return ((position * fc_.outputs() + label / panel * panel) * batch) + image * panel + label % panel;
  }
  // Calls f(image, label) for all.
  template <typename F>
  void each_logit(int64_t batch, F f) const {
    share_out(batch, [&](int64_t image) {
      for (int64_t label = 0; label < label_count_; ++label) f(image, label);
    });
  }
  void average(const float* x, int64_t batch);
  // Scores become the shares of the positions.
  void attend(const float* bias, int64_t batch, float* logits);
  // Shares and values become the gradients of scores and values.
  void attend_backward(const float* d_logits, int64_t batch);
  void average_backward(int64_t batch, float* dx, const Finish& receive) const;

  const Kernels& kernels_;
  int64_t positions_, label_count_;
  Convolution fc_;  // of the average; or of every position, which gives its values
  size_t bias_;
  std::optional<Convolution> query_;  // gives the scores of every position
  Buffer features_, d_features_;      // of the average: [512] per image
  Buffer values_, scores_;            // of labels, in blocks; values_ are then their gradients
};

}  // namespace chestmnist::cpu
