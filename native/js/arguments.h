// Converts arguments from JavaScript to C++ values, and state dicts in both directions. Throws ERR_CONFIG, or
// ERR_DATA_SHAPE for images. TypeScript has already checked the values; these checks protect memory.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "core/augmentation.h"
#include "core/state_dict.h"

namespace chestmnist {

[[noreturn]] void bad_argument(const std::string& found, const std::string& needed);

Napi::Object object_of(const Napi::Value& value, const char* name);
double number_of(const Napi::Object& object, const char* name);
int64_t integer_of(const Napi::Object& object, const char* name, int64_t low, int64_t high);
std::string text_of(const Napi::Object& object, const char* name);
bool boolean_of(const Napi::Object& object, const char* name);
// The value of a text field, looked up in a table of contract.h.
template <typename Choices>
auto choice_of(const Napi::Object& object, const char* name, const Choices& choices) {
  const std::string text = text_of(object, name);
  std::string names;
  for (const auto& choice : choices) {
    if (text == choice.name) return choice.value;
    names += (names.empty() ? "" : ", ") + std::string(choice.name);
  }
  bad_argument(std::string(name) + " = " + text, "one of " + names);
}

template <typename Array>
Array typed_array_of(const Napi::Value& value, napi_typedarray_type type, const char* name, const char* needed) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    bad_argument(std::string(name) + " is of another type", needed);
  }
  return value.As<Array>();
}

// The view [N, 3, H, W] over gray images, whose channel stride is 0, since one plane is stored, or over RGB images
// [N, H, W, 3].
struct View {
  Napi::Uint8Array data;
  int64_t count, height, width, channels;

  // That of the stored bytes.
  std::vector<int64_t> shape() const {
    return channels == 1 ? std::vector<int64_t>{count, height, width}
                         : std::vector<int64_t>{count, height, width, channels};
  }
};

View view_of(const Napi::Value& value);

std::vector<int32_t> order_of(const Napi::Object& args);
// The floats of a field, copied; empty where it is absent. Each must be finite.
std::vector<double> rates_of(const Napi::Object& args);
std::vector<float> floats_of(const Napi::Object& object, const char* name);
// The field `augmentation` for `count` images, copied to the host's memory; nothing of an absent part.
Augmentation augmentation_of(const Napi::Object& args, int64_t count);

// Releases each tensor after it is copied.
Napi::Value state_to_js(Napi::Env env, std::vector<HostTensor>& tensors);
// A state dict from JavaScript, copied: its buffers may change as soon as the call returns.
std::vector<HostTensor> host_tensors_of(const Napi::Value& value);

}  // namespace chestmnist
