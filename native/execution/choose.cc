#include <ATen/Context.h>

#include "cpu/execution.h"
#include "cuda/graphed.h"
#include "execution/execution.h"
#include "execution/plain.h"

namespace chestmnist {

std::unique_ptr<Execution> make_execution(ResNet18& model, Adam& optimizer, Averages* averages,
                                          const ExecutionOptions& options) {
  const at::Device device = model.parameters().front().tensor.device();
  if (options.precision == Precision::kFp64)
    return std::make_unique<PlainExecution>(model, optimizer, averages, options);
  if (device.is_cpu() && options.precision == Precision::kFp32 && !options.exact) {
    if (const cpu::Kernels* kernels = cpu::kernels()) {
      return std::make_unique<cpu::FastExecution>(*kernels, model, optimizer, averages, options);
    }
  }
  // cuDNN would round the inputs of float32 convolutions to TensorFloat-32, which has 10 bits. The setting is per
  // process.
  if (device.is_cuda()) at::globalContext().setAllowTF32CuDNN(false);
  CaptureGraph* const capture = device.is_cuda() && !options.exact ? capture_graph().function : nullptr;
  if (capture != nullptr) return std::make_unique<GraphedExecution>(model, optimizer, averages, options, capture);
  return std::make_unique<PlainExecution>(model, optimizer, averages, options);
}

}  // namespace chestmnist
