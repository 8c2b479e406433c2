#include "js/arguments.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "js/contract.h"

namespace chestmnist {

void bad_argument(const std::string& found, const std::string& needed) {
  throw Error("ERR_CONFIG", found, needed, "see the types in src/engine/contract.ts");
}

Napi::Object object_of(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) bad_argument(std::string(name) + " is not an object", "an object");
  return value.As<Napi::Object>();
}

double number_of(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsNumber()) bad_argument(std::string(name) + " is not a number", "a number");
  return value.As<Napi::Number>().DoubleValue();
}

int64_t integer_of(const Napi::Object& object, const char* name, int64_t low, int64_t high) {
  const double value = number_of(object, name);
  if (!(value >= static_cast<double>(low) && value <= static_cast<double>(high))) {
    bad_argument(std::string(name) + " = " + std::to_string(value),
                 std::to_string(low) + " to " + std::to_string(high));
  }
  return static_cast<int64_t>(value);
}

std::string text_of(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsString()) bad_argument(std::string(name) + " is not a string", "a string");
  return value.As<Napi::String>().Utf8Value();
}

bool boolean_of(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsBoolean()) bad_argument(std::string(name) + " is not a boolean", "true or false");
  return value.As<Napi::Boolean>().Value();
}

View view_of(const Napi::Value& value) {
  const auto object = object_of(value, "images");
  const auto data = typed_array_of<Napi::Uint8Array>(object.Get("data"), napi_uint8_array, "images.data", "Uint8Array");
  const auto shape = object_of(object.Get("shape"), "images.shape");
  const auto strides = object_of(object.Get("strides"), "images.strides");
  constexpr int64_t kMost = int64_t{1} << 31;
  View view{data, integer_of(shape, "0", 0, kMost), integer_of(shape, "2", 1, 1 << 14),
            integer_of(shape, "3", 1, 1 << 14), integer_of(strides, "1", 0, kMost) == 0 ? 1 : 3};
  if (integer_of(shape, "1", 0, kMost) != 3 || integer_of(strides, "1", 0, kMost) > 1 ||
      integer_of(strides, "0", 0, kMost) != view.height * view.width * view.channels ||
      integer_of(strides, "2", 0, kMost) != view.width * view.channels ||
      integer_of(strides, "3", 0, kMost) != view.channels ||
      static_cast<int64_t>(data.ElementLength()) != view.count * view.height * view.width * view.channels) {
    throw Error("ERR_DATA_SHAPE", "a view that is not that of its images",
                "shape [N, 3, H, W], and strides [H*W, 0, W, 1] over N*H*W gray bytes or [3*H*W, 1, 3*W, 3] over RGB",
                "make it with expandView()");
  }
  return view;
}

std::vector<int32_t> order_of(const Napi::Object& args) {
  const auto array =
      typed_array_of<Napi::Int32Array>(args.Get("order"), napi_int32_array, "order", "Int32Array of sample indices");
  return {array.Data(), array.Data() + array.ElementLength()};
}

namespace {

template <typename Array>
void require_finite(const Array& values, const char* name) {
  for (const auto value : values) {
    if (!std::isfinite(value)) bad_argument(std::string(name) + " holds a value that is not finite", "finite values");
  }
}

}  // namespace

std::vector<double> rates_of(const Napi::Object& args) {
  if (args.Get("learningRates").IsUndefined()) return {};
  const auto array = typed_array_of<Napi::Float64Array>(args.Get("learningRates"), napi_float64_array, "learningRates",
                                                        "Float64Array of one rate per step");
  std::vector<double> rates(array.Data(), array.Data() + array.ElementLength());
  require_finite(rates, "learningRates");
  return rates;
}

std::vector<float> floats_of(const Napi::Object& object, const char* name) {
  const auto array = typed_array_of<Napi::Float32Array>(object.Get(name), napi_float32_array, name, "Float32Array");
  std::vector<float> values(array.Data(), array.Data() + array.ElementLength());
  require_finite(values, name);
  return values;
}

Augmentation augmentation_of(const Napi::Object& args, int64_t count) {
  if (args.Get("augmentation").IsUndefined()) return {};
  const auto fields = object_of(args.Get("augmentation"), "augmentation");
  const auto require_size = [&](const Napi::TypedArray& array, const char* name, int64_t width) {
    if (static_cast<int64_t>(array.ElementLength()) == count * width) return;
    bad_argument(std::string(name) + " has " + std::to_string(array.ElementLength()) + " values",
                 std::to_string(count * width) + ", " + std::to_string(width) + " per image of the split");
  };
  const auto floats = [&](const char* name, int64_t width) -> at::Tensor {
    if (fields.Get(name).IsUndefined()) return {};
    require_size(typed_array_of<Napi::TypedArray>(fields.Get(name), napi_float32_array, name, "Float32Array"), name,
                 width);
    const std::vector<float> values = floats_of(fields, name);
    const at::Tensor tensor = at::empty({count, width}, at::kFloat);
    std::copy(values.begin(), values.end(), tensor.mutable_data_ptr<float>());
    return width == 1 ? tensor.view({count}) : tensor;
  };
  const auto integers = [&](const char* name, int64_t width, int64_t most) -> at::Tensor {
    if (fields.Get(name).IsUndefined()) return {};
    const auto array = typed_array_of<Napi::Int32Array>(fields.Get(name), napi_int32_array, name, "Int32Array");
    require_size(array, name, width);
    const at::Tensor tensor = at::empty({count, width}, at::kLong);
    auto* values = tensor.mutable_data_ptr<int64_t>();
    for (size_t i = 0; i < array.ElementLength(); ++i) {
      values[i] = array.Data()[i];
      if (values[i] < 0 || values[i] > most) {
        bad_argument(std::string(name) + " holds " + std::to_string(values[i]), "0 to " + std::to_string(most));
      }
    }
    return width == 1 ? tensor.view({count}) : tensor;
  };
  Augmentation all{floats("geometry", 6), floats("intensity", 2), integers("erased", 4, 1 << 14),
                   integers("partners", 1, count - 1), floats("shares", 1)};
  if (all.partners.defined() != all.shares.defined()) bad_argument("partners or shares alone", "both, or neither");
  return all;
}

Napi::Value state_to_js(Napi::Env env, std::vector<HostTensor>& tensors) {
  auto array = Napi::Array::New(env, tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    HostTensor& tensor = tensors[i];
    auto entry = Napi::Object::New(env);
    auto shape = Napi::Array::New(env, tensor.shape.size());
    for (size_t d = 0; d < tensor.shape.size(); ++d) shape.Set(d, static_cast<double>(tensor.shape[d]));
    auto buffer = Napi::ArrayBuffer::New(env, tensor.bytes);
    if (tensor.bytes) std::memcpy(buffer.Data(), tensor.data, tensor.bytes);
    tensor.owner.reset();  // after each copy, so that a checkpoint is not held twice
    const bool integers = tensor.dtype == at::kLong;
    entry.Set("name", tensor.name);
    for (const auto& dtype : kDtypes) {
      if (dtype.value == tensor.dtype) entry.Set("dtype", dtype.name);
    }
    entry.Set("shape", shape);
    if (integers) {
      entry.Set("data", Napi::BigInt64Array::New(env, tensor.bytes / 8, buffer, 0));
    } else {
      entry.Set("data", Napi::Float32Array::New(env, tensor.bytes / 4, buffer, 0));
    }
    array.Set(i, entry);
  }
  return array;
}

std::vector<HostTensor> host_tensors_of(const Napi::Value& value) {
  if (!value.IsArray()) bad_argument("a state dict that is not an array", "an array of {name, dtype, shape, data}");
  const auto array = value.As<Napi::Array>();
  std::vector<HostTensor> result;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const auto entry = object_of(array.Get(i), "entry");
    HostTensor host;
    host.name = text_of(entry, "name");
    host.dtype = choice_of(entry, "dtype", kDtypes);
    const auto shape = object_of(entry.Get("shape"), "shape");
    const int64_t dims = integer_of(shape, "length", 0, 8);
    int64_t count = 1;
    for (int64_t d = 0; d < dims; ++d) {
      host.shape.push_back(integer_of(shape, std::to_string(d).c_str(), 0, 1 << 24));
      count *= std::max<int64_t>(host.shape.back(), 1);
      if (count > int64_t{1} << 32) bad_argument(host.name + " is too large", "at most 2^32 values");
    }
    const auto data =
        host.dtype == at::kLong
            ? typed_array_of<Napi::TypedArray>(entry.Get("data"), napi_bigint64_array, "data", "BigInt64Array for I64")
            : typed_array_of<Napi::TypedArray>(entry.Get("data"), napi_float32_array, "data", "Float32Array for F32");
    host.bytes = data.ByteLength();
    auto* bytes = static_cast<uint8_t*>(data.ArrayBuffer().Data()) + data.ByteOffset();
    host.owner = at::empty({static_cast<int64_t>(host.bytes)}, at::kByte);
    if (host.bytes) std::memcpy(host.owner.mutable_data_ptr(), bytes, host.bytes);
    host.data = host.owner.const_data_ptr();
    result.push_back(std::move(host));
  }
  return result;
}

}  // namespace chestmnist
