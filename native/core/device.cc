#include "core/device.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <torch/csrc/api/include/torch/cuda.h>

#include <algorithm>

#include "core/error.h"
#include "cuda/graph.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace chestmnist {

namespace {

// Calls functions of the CUDA driver library by name (CUDA driver API).
class Driver {
 public:
  Driver() {
#ifdef _WIN32
    library_ = reinterpret_cast<void*>(LoadLibraryA("nvcuda.dll"));
#else
    library_ = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);  // stays loaded: LibTorch uses the same
#endif
  }

  bool found() const { return library_ != nullptr; }

  template <typename... Arguments>
  bool call(const char* name, Arguments... arguments) const {
#ifdef _WIN32
    const auto symbol = reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library_), name));
#else
    const auto symbol = library_ ? dlsym(library_, name) : nullptr;
#endif
    return symbol != nullptr && reinterpret_cast<int (*)(Arguments...)>(symbol)(arguments...) == 0;
  }

 private:
  void* library_;
};

// CUDA encodes 13.2 as 13020.
std::string version_text(long version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

CudaStatus cuda_status() {
  CudaStatus status;
  const Driver driver;
  int version = 0, count = 0;
  if (driver.found() && driver.call("cuDriverGetVersion", &version)) status.driver = version_text(version);
  // Queried with a CPU build too, so that an unused device can be reported.
  if (!driver.call("cuInit", 0U) || !driver.call("cuDeviceGetCount", &count)) count = 0;
  for (int i = 0; i < count; ++i) {
    char name[256] = "unknown";
    size_t memory = 0;
    int device = 0;
    driver.call("cuDeviceGet", &device, i);
    driver.call("cuDeviceGetName", static_cast<char*>(name), static_cast<int>(sizeof(name)), device);
    driver.call("cuDeviceTotalMem_v2", &memory, device);
    status.devices.push_back({i, name, static_cast<double>(memory)});
  }

  const auto& hooks = at::detail::getCUDAHooks();
  const long built_with = hooks.hasCUDART() ? hooks.versionCUDART() : 0;
  if (built_with != 0) status.built_with = version_text(built_with);
  if (built_with == 0) {
    status.reason = "cpu-build";
  } else if (!driver.found()) {
    status.reason = "no-driver";
  } else if (version / 1000 < built_with / 1000) {  // minor versions are compatible with each other
    status.reason = "driver-too-old";
  } else {
    status.devices.resize(std::min<size_t>(count, torch::cuda::device_count()));
    if (status.devices.empty()) status.reason = "no-device";
  }
  status.available = status.reason.empty();
  if (status.available) status.no_graphs = capture_graph().missing;
  return status;
}

at::Device parse_device(const std::string& text) {
  if (text == "cpu") return at::Device(at::kCPU);
  const bool numbered = text.rfind("cuda:", 0) == 0 && text.size() > 5 && text.size() <= 8 &&
                        std::all_of(text.begin() + 5, text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (text != "cuda" && !numbered)
    throw Error("ERR_CONFIG", "device " + text, "cpu, cuda or cuda:N", "change --device");
  const CudaStatus status = cuda_status();
  if (!status.available) {
    throw Error("ERR_CUDA_UNAVAILABLE", "CUDA cannot be used here (" + status.reason + ")",
                "a CUDA LibTorch, an NVIDIA driver at least as new, and a device",
                "npx chestmnist doctor shows which is missing; --device cpu trains without it", status.reason);
  }
  const int index = numbered ? std::stoi(text.substr(5)) : 0;
  if (index >= static_cast<int>(status.devices.size())) {
    throw Error("ERR_CUDA_UNAVAILABLE", text + " with " + std::to_string(status.devices.size()) + " CUDA device(s)",
                "a number below that", "npx chestmnist doctor lists the devices", "no-device");
  }
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

}  // namespace chestmnist
