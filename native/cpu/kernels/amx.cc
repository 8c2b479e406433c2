// Tile products (tiles.h) on AMX: four tiles of C, two of A, two of B. Linux only, where a process has to ask for AMX.
// No standard header: the linker must not pick an inline function compiled here for another processor.
#if defined(__AMX_BF16__) && defined(__linux__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu/kernels/tiles.h"

namespace chestmnist::cpu::amx {

namespace {

// Eight tiles of 16 rows of 64 bytes: palette, first row, reserved, bytes per row (16 of two bytes), rows (16 of one).
struct Configuration {
  uint8_t palette = 1, first_row = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
alignas(64) const Configuration kConfiguration;

void enter() { _tile_loadconfig(&kConfiguration); }
void leave() { _tile_release(); }

// 32 rows of C. The intrinsics for loads do not tell the compiler that they read memory, hence the barrier.
void block(const TileProduct& p, int64_t row, float* c) {
  constexpr int64_t kC = kStep * sizeof(float), kA = 16 * sizeof(uint32_t), kB = kStep * sizeof(uint32_t);
  asm volatile("" ::: "memory");
  if (p.accumulate) {
    _tile_loadd(0, c, kC);
    _tile_loadd(1, c + 16, kC);
    _tile_loadd(2, c + 16 * kStep, kC);
    _tile_loadd(3, c + 16 * kStep + 16, kC);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (const TileSegment* s = p.segments; s != p.segments + p.count; ++s) {
    const uint32_t *a = s->a + row * 16, *b = s->b;
    for (int64_t step = 0; step < p.steps; ++step, a += p.a_step, b += kStepWords) {
      _tile_loadd(4, a, kA);
      _tile_loadd(6, b, kB);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, b + 16, kB);
      _tile_dpbf16ps(1, 4, 7);
      _tile_loadd(5, a + 256, kA);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, c, kC);
  _tile_stored(1, c + 16, kC);
  _tile_stored(2, c + 16 * kStep, kC);
  _tile_stored(3, c + 16 * kStep + 16, kC);
}

void product(const TileProduct& p) {
  int64_t row = 0;
  for (; row + kStep <= p.rows; row += kStep) block(p, row, p.c + row * kStep);
  if (row == p.rows) return;
  // The last rows, beside rows that are not used.
  alignas(64) float rest[kStep * kStep];
  const int64_t count = (p.rows - row) * kStep;
  float* const c = p.c + row * kStep;
  for (int64_t i = 0; i < kStep * kStep; ++i) rest[i] = p.accumulate && i < count ? c[i] : 0;
  block(p, row, rest);
  for (int64_t i = 0; i < count; ++i) c[i] = rest[i];
}

}  // namespace

extern const TileKernels kKernels{enter, leave, product};

// The processor has the tiles of kConfiguration, the system saves them, and this process may use them. A virtual
// machine may name AMX without any tiles.
bool available() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(1, 0, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
  unsigned enabled = 0, upper = 0;
  asm volatile("xgetbv" : "=a"(enabled), "=d"(upper) : "c"(0));
  constexpr unsigned kTileState = 3U << 17;
  if ((enabled & kTileState) != kTileState) return false;
  constexpr unsigned kTile = 1U << 24, kBf16 = 1U << 22;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & (kTile | kBf16)) != (kTile | kBf16)) return false;
  if (!__get_cpuid_count(0x1d, 0, &a, &b, &c, &d) || a < 1) return false;
  // Palette 1: bytes per tile above, bytes per row below; tiles above, rows below.
  if (!__get_cpuid_count(0x1d, 1, &a, &b, &c, &d)) return false;
  if (a >> 16 < 1024 || (b & 0xffff) < 64 || b >> 16 < 8 || (c & 0xffff) < 16) return false;
  // ARCH_REQ_XCOMP_PERM of XTILEDATA. The kernel refuses it where a thread has a signal stack too small for tiles.
  return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
}

}  // namespace chestmnist::cpu::amx
#endif
