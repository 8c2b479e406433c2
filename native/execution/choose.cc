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
  if (device.is_cpu() && !options.exact) {
    if (const cpu::Kernels* kernels = cpu::kernels()) {
      const cpu::Tiles* const tiles = options.precision == Precision::kBf16           ? cpu::tiles()
                                      : options.precision == Precision::kEmulatedBf16 ? cpu::emulated_tiles()
                                                                                      : nullptr;
      return std::make_unique<cpu::FastExecution>(*kernels, tiles, model, optimizer, averages, options);
    }
    // bfloat16 is asked for because it is fast. Without kernels it is slower than float32 on a CPU.
    ExecutionOptions in_float32 = options;
    in_float32.precision = Precision::kFp32;
    return std::make_unique<PlainExecution>(model, optimizer, averages, in_float32);
  }
  // cuDNN would round the inputs of float32 convolutions to TensorFloat-32, which has 10 bits. The setting is per
  // process.
  if (device.is_cuda()) at::globalContext().setAllowTF32CuDNN(false);
  CaptureGraph* const capture = device.is_cuda() && !options.exact ? capture_graph().function : nullptr;
  if (capture != nullptr) return std::make_unique<GraphedExecution>(model, optimizer, averages, options, capture);
  return std::make_unique<PlainExecution>(model, optimizer, averages, options);
}

}  // namespace chestmnist
