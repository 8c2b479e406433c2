// Which devices LibTorch can use here, and why not. No CUDA symbol is linked: the driver is queried through its own
// library, if it is installed.
#pragma once

#include <c10/core/Device.h>

#include <string>
#include <vector>

namespace chestmnist {

struct CudaDevice {
  int index;
  std::string name;
  double total_memory;  // bytes
};

struct CudaStatus {
  bool available = false;
  std::string reason;               // cpu-build, no-driver, driver-too-old or no-device; empty when available
  std::string built_with;           // "13.0"; empty for a CPU build
  std::string driver;               // newest CUDA version the driver supports; empty without a driver
  std::string no_graphs;            // why steps cannot be recorded as graphs; empty when they can
  std::vector<CudaDevice> devices;  // as the driver shows them, whether or not they can be used
};

CudaStatus cuda_status();

// "cpu", "cuda" or "cuda:N". Throws ERR_CUDA_UNAVAILABLE or ERR_CONFIG.
at::Device parse_device(const std::string& text);

}  // namespace chestmnist
