#include "cpu/kernels/kernels.h"

#include <ATen/Version.h>

#include <string>

namespace chestmnist::cpu {

// Defined in avx2.cc and avx512.cc; the build sets CHESTMNIST_AVX if it compiled them.
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}

const Kernels* kernels() {
#if defined(CHESTMNIST_AVX)
  // Follows LibTorch's choice, so that ATEN_CPU_CAPABILITY applies to both.
  const std::string capability = at::get_cpu_capability();
  if (capability == "AVX512" && __builtin_cpu_supports("avx512f")) return &avx512::kKernels;
  const bool wide = capability == "AVX512" || capability == "AVX2";
  if (wide && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2::kKernels;
#endif
  return nullptr;
}

}  // namespace chestmnist::cpu
