#include "kernels.h"

namespace chestmnist::cpu {

// The files kernels_<set>.cc define these; the build names the ones it compiled.
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}

const Kernels* kernels() {
#if defined(CHESTMNIST_AVX)
  if (__builtin_cpu_supports("avx512f")) return &avx512::kKernels;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2::kKernels;
#endif
  return nullptr;
}

}  // namespace chestmnist::cpu
