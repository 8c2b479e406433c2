// A piece of work on a CUDA device, recorded once and replayed as one launch. The recording itself needs CUDA symbols
// and is the library native/cuda; here is only what both sides know.
#pragma once

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <string>

namespace chestmnist {

class Graph {
 public:
  virtual ~Graph() = default;
  // On the current stream. The tensors that the work used must be alive.
  virtual void replay() = 0;
};

// Records what `work` launches; nothing of it runs. The caller owns the result. The graphs of one `pool` share memory,
// so they are replayed one after the other; {0, 0} becomes a new pool.
using CaptureGraph = Graph*(at::Device device, c10::MempoolId_t& pool, const std::function<void()>& work);
constexpr const char* kCaptureGraphName = "chestmnist_capture_graph";

struct CaptureLibrary {
  CaptureGraph* function = nullptr;
  std::string missing;  // why there is none
};

// The library chestmnist_cuda beside the addon. Loads it: only beside a CUDA LibTorch.
const CaptureLibrary& capture_graph();

}  // namespace chestmnist
