// The names that cross the boundary, in tables: values are read with them, and the export `contract` is made from them.
// src/engine/addon.ts compares it with src/engine/contract.ts when it loads the addon.
#pragma once

#include <c10/core/ScalarType.h>

#include <array>

#include "execution/execution.h"

namespace chestmnist {

template <typename Value>
struct Choice {
  const char* name;
  Value value;
};

constexpr std::array kStems{Choice<Stem>{"torchvision", Stem::kTorchvision}, Choice<Stem>{"cifar", Stem::kCifar}};
constexpr std::array kHeads{Choice<Head>{"average", Head::kAverage}, Choice<Head>{"attention", Head::kAttention}};
constexpr std::array kPrecisions{
    Choice<Precision>{"fp32", Precision::kFp32}, Choice<Precision>{"bf16", Precision::kBf16},
    Choice<Precision>{"bf16-emulated", Precision::kEmulatedBf16}, Choice<Precision>{"fp64", Precision::kFp64}};
// Whether the weight decay is decoupled.
constexpr std::array kOptimizers{Choice<bool>{"adam", false}, Choice<bool>{"adamw", true}};
constexpr std::array kCriteria{Choice<Criterion>{"binary-cross-entropy", Criterion::kBinaryCrossEntropy},
                               Choice<Criterion>{"cross-entropy", Criterion::kCrossEntropy}};
constexpr std::array kDtypes{Choice<at::ScalarType>{"F32", at::kFloat}, Choice<at::ScalarType>{"I64", at::kLong}};

// The fields of a trainer's configuration.
inline constexpr std::array kConfigFields{
    "stem",          "head",       "labelCount", "criterion",    "labelWeights", "positiveFocus",
    "negativeFocus", "margin",     "smoothing",  "channels",     "imageSize",    "inputSize",
    "device",        "precision",  "threads",    "seed",         "optimizer",    "learningRate",
    "weightDecay",   "decayNorms", "clipNorm",   "averageDecay", "exact"};

}  // namespace chestmnist
