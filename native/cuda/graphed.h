// The plain network on CUDA with its steps recorded as graphs. At batch 128, launching some 400 kernels limits the
// speed of a step; a graph launches them as one. The operators and the data are the same.
#pragma once

#include <map>
#include <utility>

#include "cuda/graph.h"
#include "execution/plain.h"

namespace chestmnist {

class GraphedExecution : public PlainExecution {
 public:
  GraphedExecution(ResNet18& model, Adam& optimizer, Averages* averages, const ExecutionOptions& options,
                   CaptureGraph* capture)
      : PlainExecution(model, optimizer, averages, options), capture_(capture) {}

  const char* name() const override { return capture_ ? "graphed" : "plain"; }
  void train_batch(int64_t begin, int64_t end) override;
  void predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) override;

 private:
  using Weak = c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;
  // A recorded step for batches of one size. The tensors are its inputs and outputs: the graph reads and writes their
  // memory.
  struct Recorded {
    // The graph reads this memory. A weak reference, so that a replaced split can be freed.
    Weak images;
    Samples samples;         // filled before each replay
    at::Tensor logits = {};  // for predictions
    int warm = 0;            // unrecorded steps so far: libraries initialise themselves in the first ones
    std::unique_ptr<Graph> graph = {};
  };
  using Work = std::function<void(Recorded&)>;
  // Keyed by the memory of the images and the batch size: an epoch's last batch may be smaller or larger.
  using Records = std::map<std::pair<const void*, int64_t>, Recorded>;

  // Replays the recorded work on `samples`. Null if it is not recorded: the caller then runs it directly.
  Recorded* replay(Records& records, const Split& split, const Samples& samples, const Work& work);
  // Records the work. If that fails, returns false and nothing is recorded any more.
  bool record(Recorded& recorded, const Work& work);
  void forget_unloaded();

  CaptureGraph* capture_;
  c10::MempoolId_t pool_{0, 0};
  Records training_, predictions_;
};

}  // namespace chestmnist
