// The library chestmnist_cuda: records graphs, the only code that needs CUDA symbols. The addon loads it only with a
// CUDA LibTorch. Not here: what is recorded (graphed.h).
#include "cuda/graph.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <mutex>

namespace chestmnist {

namespace {

class CudaGraph : public Graph {
 public:
  CudaGraph(at::Device device, c10::MempoolId_t& pool, const std::function<void()>& work) : device_(device) {
    // Trainers run on their own threads but share the device's random generator, which a recording takes over.
    static std::mutex one_at_a_time;
    const std::lock_guard<std::mutex> lock(one_at_a_time);
    const c10::cuda::CUDAGuard on_device(device_);
    c10::cuda::getCurrentCUDAStream(device_.index()).synchronize();
    // A graph has its own memory: cached memory of earlier steps is released first.
    c10::cuda::CUDACachingAllocator::emptyCache();
    if (pool == c10::MempoolId_t{0, 0}) pool = at::cuda::graph_pool_handle();
    // The default stream cannot be recorded.
    const c10::cuda::CUDAStreamGuard on_stream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device_.index()));
    try {
      // Restricted to this thread: another trainer may allocate meanwhile.
      graph_->capture_begin(pool, cudaStreamCaptureModeThreadLocal);
      try {
        work();
      } catch (...) {
        end_quietly();
        throw;
      }
      graph_->capture_end();
    } catch (...) {
      // The allocator may still refer to a graph whose recording did not begin or end: it is never freed.
      static_cast<void>(graph_.release());
      throw;
    }
  }

  void replay() override {
    const c10::cuda::CUDAGuard on_device(device_);
    graph_->replay();
  }

 private:
  // The first error is the one to report.
  void end_quietly() {
    try {
      graph_->capture_end();
    } catch (const std::exception&) {
    }
  }

  at::Device device_;
  std::unique_ptr<at::cuda::CUDAGraph> graph_ = std::make_unique<at::cuda::CUDAGraph>();
};

}  // namespace

extern "C" __attribute__((visibility("default"))) Graph* chestmnist_capture_graph(at::Device device,
                                                                                  c10::MempoolId_t& pool,
                                                                                  const std::function<void()>& work) {
  return new CudaGraph(device, pool, work);
}

}  // namespace chestmnist
