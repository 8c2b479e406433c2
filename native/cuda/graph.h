// Work on a CUDA device, recorded once and replayed as one launch. This is the interface between the addon and the
// library that records (capture.cc), which needs CUDA symbols.
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
  // Runs on the current stream. The tensors that the work used must be alive.
  virtual void replay() = 0;
};

// Records what `work` launches without running it. The caller owns the result. The graphs of one `pool` share memory,
// so they must be replayed one after another; {0, 0} is replaced by a new pool.
using CaptureGraph = Graph*(at::Device device, c10::MempoolId_t& pool, const std::function<void()>& work);
constexpr const char* kCaptureGraphName = "chestmnist_capture_graph";

struct CaptureLibrary {
  CaptureGraph* function = nullptr;
  std::string missing;  // why `function` is null
};

// Loads the library chestmnist_cuda from the addon's folder. Call it only with a CUDA LibTorch.
const CaptureLibrary& capture_graph();

}  // namespace chestmnist
