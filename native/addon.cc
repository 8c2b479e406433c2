// Registers the exports that src/engine/contract.ts describes and nothing else.
#include <ATen/Context.h>
#include <ATen/Version.h>
#include <napi.h>

#include "core/device.h"
#include "js/contract.h"
#include "js/errors.h"
#include "js/trainer.h"

namespace {

using namespace chestmnist;

Napi::Value cuda_status_js(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const CudaStatus status = cuda_status();
  auto object = Napi::Object::New(env);
  object.Set("available", status.available);
  if (!status.reason.empty()) object.Set("reason", status.reason);
  if (!status.built_with.empty()) object.Set("builtWith", status.built_with);
  if (!status.driver.empty()) object.Set("driver", status.driver);
  if (!status.no_graphs.empty()) object.Set("noGraphs", status.no_graphs);
  auto devices = Napi::Array::New(env);
  for (const CudaDevice& device : status.devices) {
    auto entry = Napi::Object::New(env);
    entry.Set("index", device.index);
    entry.Set("name", device.name);
    entry.Set("totalMemory", device.total_memory);
    devices.Set(devices.Length(), entry);
  }
  object.Set("devices", devices);
  return object;
}

template <typename Choices>
Napi::Array names_of(Napi::Env env, const Choices& choices) {
  auto names = Napi::Array::New(env);
  for (const auto& choice : choices) names.Set(names.Length(), choice.name);
  return names;
}

// The names this addon was compiled with; src/engine/addon.ts compares them with its own.
Napi::Object contract(Napi::Env env) {
  auto object = Napi::Object::New(env);
  auto fields = Napi::Array::New(env);
  for (const char* field : kConfigFields) fields.Set(fields.Length(), field);
  object.Set("config", fields);
  object.Set("stem", names_of(env, kStems));
  object.Set("criterion", names_of(env, kCriteria));
  object.Set("precision", names_of(env, kPrecisions));
  object.Set("optimizer", names_of(env, kOptimizers));
  object.Set("dtype", names_of(env, kDtypes));
  return object;
}

// The version of the loaded LibTorch, which may be newer than the headers: read from its build configuration.
std::string torch_version() {
  const std::string config = at::show_config(), key = "TORCH_VERSION=";
  const size_t begin = config.find(key);
  if (begin == std::string::npos) return "unknown";
  const size_t end = config.find_first_of(", \n", begin);
  return config.substr(begin + key.size(), end - begin - key.size());
}

// Context-aware: each environment has its own AddonData, so worker threads can load the addon.
Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  // LibTorch asks it about some small convolutions and, on processors that it does not know, warns each time.
  at::globalContext().setUserEnabledNNPACK(false);
  auto* data = new AddonData;
  env.SetInstanceData(data);
  data->trainer = Napi::Persistent(Trainer::define(env));
  exports.Set("Trainer", data->trainer.Value());
  exports.Set("setErrorClass", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                info.Env().GetInstanceData<AddonData>()->error_class = Napi::Persistent(info[0].As<Napi::Function>());
              }));
  exports.Set("torchVersion", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                return Napi::String::New(info.Env(), torch_version());
              }));
  exports.Set("cpuCapability", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                return Napi::String::New(info.Env(), at::get_cpu_capability());
              }));
  exports.Set("contract", contract(env));
  exports.Set("cudaStatus", Napi::Function::New(env, cuda_status_js));
  return exports;
}

}  // namespace

NODE_API_MODULE(chestmnist, initialize)
