// The exponential moving average of the model's state: of its weights and of its running statistics. After the
// optimizer's step k, from 1, the average moves by 1 - min(decay, (1 + k) / (10 + k)) of its distance to the state, so
// that the first steps do not keep the initial weights (TensorFlow's ExponentialMovingAverage).
#pragma once

#include "core/optimizer.h"
#include "core/resnet.h"

namespace chestmnist {

class Averages {
 public:
  // Starts at the model's state. `decay` from 0 to below 1.
  Averages(const ResNet18& model, const Adam& optimizer, double decay);

  // The model's state_dict, averaged.
  const std::vector<NamedTensor>& state() const { return state_; }
  // Those of the parameters, in the order of the model's parameters().
  const std::vector<NamedTensor>& parameters() const { return parameters_; }

  // How far the average moves after `step` steps.
  double weight_after(int64_t step) const;
  // After a step. Recordable: it reads the number of steps on the device.
  void update();
  // The same of the buffers alone, for an execution that averages the parameters itself.
  void update_buffers(double weight);
  // Starts again at the model's state.
  void reset();
  // Exchanges the contents of the averages and of the model.
  void swap();

 private:
  double decay_;
  at::Tensor step_;  // the optimizer's, [] float32
  std::vector<NamedTensor> model_, state_, parameters_;
};

}  // namespace chestmnist
