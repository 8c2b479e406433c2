#include "core/state_dict.h"

#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>

#include <map>

#include "core/error.h"

namespace chestmnist {

namespace {

at::ScalarType host_dtype(const at::Tensor& tensor) { return tensor.is_floating_point() ? at::kFloat : at::kLong; }

HostTensor host_tensor(const std::string& name, const at::Tensor& tensor) {
  HostTensor host;
  host.name = name;
  host.dtype = host_dtype(tensor);
  host.shape = tensor.sizes().vec();
  host.owner = tensor.detach().to(at::kCPU, host.dtype).contiguous();
  host.data = host.owner.const_data_ptr();
  host.bytes = host.owner.nbytes();
  return host;
}

std::string describe(at::ScalarType dtype, at::IntArrayRef shape) {
  std::string text = dtype == at::kLong ? "I64 [" : "F32 [";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace

std::vector<HostTensor> to_host(const std::vector<NamedTensor>& tensors) {
  std::vector<HostTensor> result;
  for (const auto& [name, tensor] : tensors) result.push_back(host_tensor(name, tensor));
  return result;
}

std::vector<HostTensor> gradients_to_host(const std::vector<NamedTensor>& tensors) {
  std::vector<HostTensor> result;
  for (const auto& [name, tensor] : tensors) result.push_back(host_tensor(name, tensor.grad()));
  return result;
}

void from_host(const std::vector<NamedTensor>& tensors, const std::vector<HostTensor>& host, const StateKind& kind) {
  const auto refuse = [&](const std::string& found, const std::string& needed) {
    throw Error(kind.code, std::string(kind.name) + ": " + found, needed, kind.next);
  };
  std::map<std::string, const HostTensor*> by_name;
  for (const HostTensor& entry : host) {
    if (!by_name.emplace(entry.name, &entry).second) refuse("two entries named " + entry.name, "one of each");
  }
  for (const auto& [name, tensor] : tensors) {
    const auto found = by_name.find(name);
    const at::ScalarType dtype = host_dtype(tensor);
    const std::string needed = name + " " + describe(dtype, tensor.sizes());
    if (found == by_name.end()) refuse(name + " is missing", needed);
    const HostTensor& entry = *found->second;
    if (entry.dtype != dtype || tensor.sizes() != at::IntArrayRef(entry.shape)) {
      refuse(name + " " + describe(entry.dtype, entry.shape), needed);
    }
    const size_t bytes = tensor.numel() * c10::elementSize(dtype);
    if (entry.bytes != bytes) {
      refuse(name + " has " + std::to_string(entry.bytes) + " bytes", std::to_string(bytes) + " bytes");
    }
    by_name.erase(found);
  }
  if (!by_name.empty()) refuse("unexpected entry " + by_name.begin()->first, "only the network's own names");

  at::NoGradGuard no_grad;
  for (const HostTensor& entry : host) by_name.emplace(entry.name, &entry);
  for (const auto& [name, tensor] : tensors) {
    const HostTensor& entry = *by_name.at(name);
    tensor.copy_(at::from_blob(const_cast<void*>(entry.data), entry.shape, entry.dtype));
  }
}

}  // namespace chestmnist
