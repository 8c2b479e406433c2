// The plain network on CUDA with its steps recorded as graphs: at batch 128 a step is bound by launching some 400
// kernels, and a graph launches them as one. The same operators on the same data.
#pragma once

#include <map>
#include <utility>

#include "cuda/graph.h"
#include "execution/plain.h"

namespace chestmnist {

class GraphedExecution : public PlainExecution {
 public:
  GraphedExecution(ResNet18& model, Adam& optimizer, const ExecutionOptions& options, CaptureGraph* capture)
      : PlainExecution(model, optimizer, options), capture_(capture) {}

  const char* name() const override { return capture_ ? "graphed" : "plain"; }
  void train_batch(int64_t begin, int64_t end) override;
  void predict_batch(const Split& split, int64_t begin, int64_t end, float* logits) override;

 private:
  using Weak = c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;
  // A recorded step on batches of one size. The tensors are its inputs and outputs: they stay where the graph reads and
  // writes them.
  struct Recorded {
    // Whose memory the graph reads; not held, so that a split that is loaded anew can go.
    Weak images;
    at::Tensor index;        // [B] int64, filled before each replay
    at::Tensor logits = {};  // of a prediction
    int warm = 0;            // steps that ran as they are: libraries set themselves up in the first ones
    std::unique_ptr<Graph> graph = {};
  };
  using Work = std::function<void(Recorded&)>;
  // By the memory of the images and the size of the batch: an epoch's last batch, smaller or larger, has its own.
  using Records = std::map<std::pair<const void*, int64_t>, Recorded>;

  // The recorded work after its replay on `index`, or null where the work is still to run as it is.
  Recorded* replay(Records& records, const Split& split, const at::Tensor& index, const Work& work);
  // Records the work; where that fails, no other is recorded, and false is returned.
  bool record(Recorded& recorded, const Work& work);
  void forget_unloaded();

  CaptureGraph* capture_;
  c10::MempoolId_t pool_{0, 0};
  Records training_, predictions_;
};

}  // namespace chestmnist
