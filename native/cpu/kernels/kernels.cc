#include "cpu/kernels/kernels.h"

#include <ATen/Version.h>

#include <cstdlib>
#include <string>

#include "cpu/kernels/tiles.h"

namespace chestmnist::cpu {

// Defined in the file of each set; the build sets CHESTMNIST_AVX and CHESTMNIST_AMX if it compiled them.
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
extern const TileOperands kOperands;
extern const TileKernels kEmulated;
}  // namespace avx512
namespace amx {
extern const TileKernels kKernels;
bool available();
}  // namespace amx

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

const Tiles* emulated_tiles() {
#if defined(CHESTMNIST_AVX)
  static const Tiles emulated{avx512::kEmulated, avx512::kOperands};
  if (kernels() == &avx512::kKernels) return &emulated;
#endif
  return nullptr;
}

const Tiles* tiles() {
#if defined(CHESTMNIST_AMX)
  static const Tiles on_amx{amx::kKernels, avx512::kOperands};
  // LibTorch's switch knows no AMX: whatever it names is a lower set.
  if (std::getenv("ATEN_CPU_CAPABILITY") == nullptr && emulated_tiles() != nullptr && amx::available()) return &on_amx;
#endif
  return nullptr;
}

}  // namespace chestmnist::cpu
