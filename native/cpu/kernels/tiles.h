// Products of bfloat16 operands with float32 sums: on AMX, or the same bit for bit in AVX-512 instructions. An operand
// is a sequence of steps, each 32 deep and 32 wide: 512 words of two bfloat16 each, the lower one first. Rounding is to
// nearest even. Not here: which product is meant (tiled.h).
#pragma once

#include <cstdint>

namespace chestmnist::cpu {

constexpr int64_t kStep = 32;                      // depth of a step; a panel has as many channels
constexpr int64_t kStepWords = kStep * kStep / 2;  // of one operand

// One term of a sum of products. A has rows of 16 words, 32 deep; B has 16 rows of 32 words, each a pair of its rows.
struct TileSegment {
  const uint32_t* a;
  const uint32_t* b;
};

// C[rows, 32] (+)= sum over segments of A[rows, depth] * B[depth, 32]; B and C are dense. A can be read up to the next
// multiple of 32 rows.
struct TileProduct {
  const TileSegment* segments;
  int64_t count;
  int64_t steps;   // per segment
  int64_t a_step;  // words from one step of A to the next
  float* c;
  int64_t rows;
  bool accumulate;
};

struct TileKernels {
  // A thread calls enter() before its products and leave() after them.
  void (*enter)();
  void (*leave)();
  void (*product)(const TileProduct&);
};

// Operands from blocks of floats, `rows` x 32.
struct TileOperands {
  // A = the block.
  void (*rows)(const float* block, int64_t rows, uint32_t* to);
  // A = the block transposed, ceil(rows / 32) steps; the last is filled up with zeros.
  void (*columns)(const float* block, int64_t rows, uint32_t* to);
  // B = the block, ceil(rows / 32) steps; the last is filled up with zeros.
  void (*pairs)(const float* block, int64_t rows, uint32_t* to);
  // B = a 32 x 32 block transposed.
  void (*transposed_pairs)(const float* block, uint32_t* to);
};

struct Tiles {
  TileKernels kernels;
  TileOperands operands;
};

// AMX; null where the processor or the system has none, or ATEN_CPU_CAPABILITY names a lower instruction set.
const Tiles* tiles();
// The same function without AMX, for tests; null without AVX-512.
const Tiles* emulated_tiles();

}  // namespace chestmnist::cpu
