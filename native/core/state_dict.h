// Named tensors <-> host buffers: what crosses the boundary as a state dict. Floats cross as float32, whatever the
// tensors' dtype. Reading from the host is strict.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/resnet.h"

namespace chestmnist {

// A tensor's bytes in host memory, C order. `owner` keeps `data` alive.
struct HostTensor {
  std::string name;
  at::ScalarType dtype = at::kFloat;  // kFloat or kLong
  std::vector<int64_t> shape;
  const void* data = nullptr;
  size_t bytes = 0;
  at::Tensor owner;
};

std::vector<HostTensor> to_host(const std::vector<NamedTensor>& tensors);

// The tensors' gradients under the tensors' names.
std::vector<HostTensor> gradients_to_host(const std::vector<NamedTensor>& tensors);

// How errors name a kind of state, and their code and next step when it does not fit.
struct StateKind {
  const char* name;
  const char* code;
  const char* next;
};

// Copies into the tensors after checking every name, dtype and shape; throws the kind's error and changes nothing when
// one differs.
void from_host(const std::vector<NamedTensor>& tensors, const std::vector<HostTensor>& host, const StateKind& kind);

}  // namespace chestmnist
