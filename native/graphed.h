// The plain network on CUDA with its steps recorded as graphs: at batch 128 a step is bound by launching some 400
// kernels, and a graph launches them as one. The same operators on the same data; batches of another size run as they
// are.
#pragma once

#include <map>

#include "graph.h"
#include "plain.h"

namespace chestmnist {

class GraphedExecution : public PlainExecution {
 public:
  GraphedExecution(ResNet18& model, Adam& optimizer, const ExecutionOptions& options, CaptureGraph* capture)
      : PlainExecution(model, optimizer, options), capture_(capture) {}

  const char* name() const override { return "graphed"; }
  void train_batch(int64_t begin, int64_t end) override;
  void predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) override;

 private:
  // A recorded step. The tensors are its inputs and outputs: they stay where the graph reads and writes them.
  struct Recorded {
    Split split;
    at::Tensor index;   // [B] int64, filled before each replay
    at::Tensor logits;  // of a prediction
    int warm = 0;       // steps that ran as they are: libraries set themselves up in the first ones
    std::unique_ptr<Graph> graph;
  };
  using Work = std::function<void(Recorded&)>;

  // Replays the work on `index`, or returns false where it is still to run as it is.
  bool replay(Recorded& recorded, const Split& split, const at::Tensor& index, const Work& work);

  CaptureGraph* capture_;
  Recorded training_;
  std::map<const void*, Recorded> predictions_;  // by the memory of their images
};

}  // namespace chestmnist
