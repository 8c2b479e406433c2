#include "trainer.h"

#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cstring>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "device.h"
#include "error.h"

namespace chestmnist {

namespace {

// A call with nothing to return.
struct Nothing {};

Napi::Value undefined(Napi::Env env, Nothing&) { return env.Undefined(); }

[[noreturn]] void bad_argument(const std::string& found, const std::string& needed) {
  throw Error("ERR_CONFIG", found, needed, "see the types of src/native.ts");
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

// One of two names.
bool choice_of(const Napi::Object& object, const char* name, const char* no, const char* yes) {
  const std::string value = text_of(object, name);
  if (value != no && value != yes) {
    bad_argument(std::string(name) + " = " + value, std::string(no) + " or " + yes);
  }
  return value == yes;
}

template <typename Array>
Array typed_array_of(const Napi::Value& value, napi_typedarray_type type, const char* name, const char* needed) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    bad_argument(std::string(name) + " is of another type", needed);
  }
  return value.As<Array>();
}

// The expansion view [N, 3, H, W] over gray images: the channel stride must be 0, since one plane is kept.
struct View {
  Napi::Uint8Array data;
  int64_t count, height, width;
};

View view_of(const Napi::Value& value) {
  const auto object = object_of(value, "images");
  const auto data = typed_array_of<Napi::Uint8Array>(object.Get("data"), napi_uint8_array, "images.data", "Uint8Array");
  const auto shape = object_of(object.Get("shape"), "images.shape");
  const auto strides = object_of(object.Get("strides"), "images.strides");
  constexpr int64_t kMost = int64_t{1} << 31;
  View view{data, integer_of(shape, "0", 0, kMost), integer_of(shape, "2", 1, 1 << 14),
            integer_of(shape, "3", 1, 1 << 14)};
  if (integer_of(shape, "1", 0, kMost) != 3 || integer_of(strides, "1", 0, kMost) != 0 ||
      integer_of(strides, "0", 0, kMost) != view.height * view.width ||
      integer_of(strides, "2", 0, kMost) != view.width || integer_of(strides, "3", 0, kMost) != 1 ||
      static_cast<int64_t>(data.ElementLength()) != view.count * view.height * view.width) {
    throw Error("ERR_DATA_SHAPE", "a view that is not the expansion of its gray images",
                "shape [N, 3, H, W] and strides [H*W, 0, W, 1] over N*H*W bytes", "make it with expandView()");
  }
  return view;
}

std::vector<int32_t> order_of(const Napi::Object& args) {
  const auto array =
      typed_array_of<Napi::Int32Array>(args.Get("order"), napi_int32_array, "order", "Int32Array of sample indices");
  return {array.Data(), array.Data() + array.ElementLength()};
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
    tensor.owner.reset();  // as each is copied, so that a checkpoint is not held twice
    const bool integers = tensor.dtype == at::kLong;
    entry.Set("name", tensor.name);
    entry.Set("dtype", integers ? "I64" : "F32");
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

// A state dict from JavaScript, copied: its buffers may change as soon as the call returns.
std::vector<HostTensor> host_tensors_of(const Napi::Value& value) {
  if (!value.IsArray()) bad_argument("a state dict that is no array", "an array of {name, dtype, shape, data}");
  const auto array = value.As<Napi::Array>();
  std::vector<HostTensor> result;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const auto entry = object_of(array.Get(i), "entry");
    HostTensor host;
    host.name = text_of(entry, "name");
    host.dtype = choice_of(entry, "dtype", "F32", "I64") ? at::kLong : at::kFloat;
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
    host.owner = at::from_blob(bytes, {static_cast<int64_t>(host.bytes)}, at::kByte).clone();
    host.data = host.owner.const_data_ptr();
    result.push_back(std::move(host));
  }
  return result;
}

}  // namespace

Trainer::Session::Session(uint64_t seed, int64_t label_count, at::Device device, const AdamOptions& adam,
                          const ExecutionOptions& options)
    : device(device),
      label_count(label_count),
      model(options.stem, label_count, seed, device),
      optimizer(model.parameters(), adam),
      execution(make_execution(model, optimizer, options)) {}

Napi::Function Trainer::define(Napi::Env env) {
  return DefineClass(
      env, "Trainer",
      {InstanceMethod<&Trainer::load_split>("loadSplit"), InstanceMethod<&Trainer::train_epoch>("trainEpoch"),
       InstanceMethod<&Trainer::predict>("predict"), InstanceMethod<&Trainer::gradients>("gradients"),
       InstanceMethod<&Trainer::state_dict>("stateDict"), InstanceMethod<&Trainer::load_state_dict>("loadStateDict"),
       InstanceMethod<&Trainer::optimizer_state>("optimizerState"),
       InstanceMethod<&Trainer::load_optimizer_state>("loadOptimizerState"),
       InstanceMethod<&Trainer::set_learning_rate>("setLearningRate"), InstanceMethod<&Trainer::cancel>("cancel"),
       InstanceMethod<&Trainer::dispose>("dispose"), InstanceAccessor<&Trainer::device>("device"),
       InstanceAccessor<&Trainer::execution>("execution")});
}

Trainer::Trainer(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Trainer>(info) {
  guarded(info.Env(), [&] {
    const auto config = object_of(info[0], "config");
    ExecutionOptions options;
    options.stem = choice_of(config, "stem", "torchvision", "cifar") ? Stem::kCifar : Stem::kTorchvision;
    options.bf16 = choice_of(config, "precision", "fp32", "bf16");
    options.exact = boolean_of(config, "exact");
    options.input_size = integer_of(config, "inputSize", 1, 1 << 14);
    smallest_batch_ = smallest_batch(options);
    const auto seed = static_cast<uint64_t>(integer_of(config, "seed", 0, int64_t{1} << 53));
    const int threads = static_cast<int>(integer_of(config, "threads", 1, 1024));
    AdamOptions adam;
    adam.decoupled_weight_decay = choice_of(config, "optimizer", "adam", "adamw");
    adam.learning_rate = number_of(config, "learningRate");
    adam.weight_decay = number_of(config, "weightDecay");
    label_count_ = integer_of(config, "labelCount", 1, 1 << 16);
    image_size_ = integer_of(config, "imageSize", 1, 1 << 14);
    const at::Device device = parse_device(text_of(config, "device"));
    device_name_ = device.str();
    session_ = std::make_shared<Session>(seed, label_count_, device, adam, options);
    // OpenMP keeps its thread count per thread, so it is set on the one that runs the operators.
    thread_ = std::make_unique<WorkThread>([threads] { at::set_num_threads(threads); });
  });
}

void Trainer::require_idle() const {
  if (disposed_) {
    throw Error("ERR_DISPOSED", "a call on a trainer that was disposed", "a trainer in use", "make a new one");
  }
  if (busy_) {
    throw Error("ERR_BUSY", "a call while another is running", "one call at a time per trainer",
                "await the first, or make a second trainer");
  }
}

void Trainer::require_batch(int64_t size) const {
  if (size >= smallest_batch_) return;
  throw Error("ERR_CONFIG", "a training batch of " + std::to_string(size) + " image(s)",
              "at least " + std::to_string(smallest_batch_) + ", since BatchNorm has no variance of one value",
              "use a larger --batch-size");
}

const Split& Trainer::split_for(const std::string& name, const std::vector<int32_t>& order) const {
  const auto found = split_counts_.find(name);
  if (found == split_counts_.end()) bad_argument("no split named " + name, "a split loaded with loadSplit()");
  for (const int32_t index : order) {
    if (index < 0 || index >= found->second) {
      bad_argument("order holds " + std::to_string(index), "indices from 0 to " + std::to_string(found->second - 1));
    }
  }
  return session_->splits.at(name);  // not changed while idle, and one call runs at a time
}

template <typename Result>
Napi::Value Trainer::start(Napi::Env env, std::function<Result(const Hooks&)> work,
                           std::function<Napi::Value(Napi::Env, Result&)> convert, Napi::Value on_progress) {
  busy_ = true;
  *cancel_ = false;
  Ref();  // the object outlives its call even when JavaScript drops it
  const auto settled = [this] {
    busy_ = false;
    Unref();
  };
  return Job<Result>{std::move(work), std::move(convert), settled}.start(env, *thread_, cancel_, on_progress);
}

Napi::Value Trainer::load_split(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    require_idle();
    if (!info[0].IsString()) bad_argument("a split name that is no string", "a string");
    const std::string name = info[0].As<Napi::String>();
    const View view = view_of(info[1]);
    const auto labels = typed_array_of<Napi::Uint8Array>(info[2], napi_uint8_array, "labels", "Uint8Array");
    if (view.height != image_size_ || view.width != image_size_) {
      throw Error("ERR_DATA_SHAPE", "images of " + std::to_string(view.height) + "x" + std::to_string(view.width),
                  "the trainer's imageSize " + std::to_string(image_size_), "make a trainer for this size");
    }
    if (static_cast<int64_t>(labels.ElementLength()) != view.count * label_count_ || view.count == 0) {
      throw Error("ERR_DATA_SHAPE",
                  std::to_string(labels.ElementLength()) + " labels for " + std::to_string(view.count) + " images",
                  "at least one image, and " + std::to_string(label_count_) + " labels for each",
                  "pass labels and images of one split");
    }
    // Copied here, on the JavaScript thread: afterwards its owner may change or detach the buffer.
    auto split = std::make_shared<Split>(make_split(view.data.Data(), view.count, view.height, view.width,
                                                    labels.Data(), label_count_, at::Device(at::kCPU)));
    split_counts_[name] = view.count;
    return start<Nothing>(
        info.Env(),
        [session = session_, name, split](const Hooks&) {
          session->splits[name] = {split->images.to(session->device), split->labels.to(session->device)};
          return Nothing{};
        },
        undefined);
  });
}

Napi::Value Trainer::train_epoch(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    require_idle();
    const auto args = object_of(info[0], "args");
    const std::string name = args.Get("split").IsUndefined() ? "train" : text_of(args, "split");
    auto order = std::make_shared<std::vector<int32_t>>(order_of(args));
    const Split& split = split_for(name, *order);
    const int64_t batch_size = integer_of(args, "batchSize", 1, 1 << 24);
    if (!order->empty()) require_batch(std::min<int64_t>(batch_size, order->size()));
    return start<EpochResult>(
        info.Env(),
        [session = session_, &split, order, batch_size](const Hooks& hooks) {
          return chestmnist::train_epoch(*session->execution, split, *order, batch_size, hooks);
        },
        [](Napi::Env env, EpochResult& result) -> Napi::Value {
          auto object = to_js(env, result.progress);
          object.Set("cancelled", result.cancelled);
          return object;
        },
        info[1]);
  });
}

Napi::Value Trainer::predict(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    require_idle();
    const auto args = object_of(info[0], "args");
    const int64_t batch_size = integer_of(args, "batchSize", 1, 1 << 24);
    auto split = std::make_shared<Split>();
    if (args.Has("images")) {
      const View view = view_of(args.Get("images"));
      if (view.height != image_size_ || view.width != image_size_) {
        throw Error("ERR_DATA_SHAPE", "images of " + std::to_string(view.height) + "x" + std::to_string(view.width),
                    "the trainer's imageSize " + std::to_string(image_size_), "resize them");
      }
      *split = make_split(view.data.Data(), view.count, view.height, view.width, nullptr, 0, at::Device(at::kCPU));
    } else {
      *split = split_for(text_of(args, "split"), {});
    }
    return start<Prediction>(
        info.Env(),
        [session = session_, split, batch_size](const Hooks& hooks) {
          split->images = split->images.to(session->device);
          return chestmnist::predict(*session->execution, *split, session->label_count, batch_size, hooks);
        },
        [](Napi::Env env, Prediction& result) -> Napi::Value {
          auto object = Napi::Object::New(env);
          auto logits = Napi::Float32Array::New(env, result.logits.size());
          std::copy(result.logits.begin(), result.logits.end(), logits.Data());
          object.Set("logits", logits);
          object.Set("samples", static_cast<double>(result.samples));
          object.Set("seconds", result.seconds);
          object.Set("cancelled", result.cancelled);
          return object;
        },
        info[1]);
  });
}

Napi::Value Trainer::gradients(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    require_idle();
    const auto args = object_of(info[0], "args");
    const std::string name = args.Get("split").IsUndefined() ? "train" : text_of(args, "split");
    auto order = std::make_shared<std::vector<int32_t>>(order_of(args));
    const Split& split = split_for(name, *order);
    require_batch(order->size());
    using Result = std::pair<double, std::vector<HostTensor>>;
    return start<Result>(
        info.Env(),
        [session = session_, &split, order](const Hooks&) {
          const double loss = session->execution->backward(split, *order);
          Result result{loss, gradients_to_host(session->model.parameters())};
          for (const auto& [name, tensor] : session->model.parameters()) tensor.mutable_grad().reset();
          return result;
        },
        [](Napi::Env env, Result& result) -> Napi::Value {
          auto object = Napi::Object::New(env);
          object.Set("loss", result.first);
          object.Set("gradients", state_to_js(env, result.second));
          return object;
        });
  });
}

Napi::Value Trainer::read_state(const Napi::CallbackInfo& info, StateOf state_of) {
  return guarded(info.Env(), [&] {
    require_idle();
    return start<std::vector<HostTensor>>(
        info.Env(),
        [session = session_, state_of](const Hooks&) {
          session->execution->flush();
          return to_host(state_of(*session));
        },
        state_to_js);
  });
}

Napi::Value Trainer::write_state(const Napi::CallbackInfo& info, StateOf state_of, const char* what) {
  return guarded(info.Env(), [&] {
    require_idle();
    auto state = std::make_shared<std::vector<HostTensor>>(host_tensors_of(info[0]));
    return start<Nothing>(
        info.Env(),
        [session = session_, state, state_of, what](const Hooks&) {
          session->execution->flush();
          from_host(state_of(*session), *state, what);
          session->execution->reload();
          return Nothing{};
        },
        undefined);
  });
}

Napi::Value Trainer::state_dict(const Napi::CallbackInfo& info) { return read_state(info, model_state); }

Napi::Value Trainer::load_state_dict(const Napi::CallbackInfo& info) {
  return write_state(info, model_state, "state dict");
}

Napi::Value Trainer::optimizer_state(const Napi::CallbackInfo& info) { return read_state(info, adam_state); }

Napi::Value Trainer::load_optimizer_state(const Napi::CallbackInfo& info) {
  return write_state(info, adam_state, "optimizer state");
}

void Trainer::set_learning_rate(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    require_idle();
    if (!info[0].IsNumber()) bad_argument("a learning rate that is no number", "a number");
    session_->optimizer.set_learning_rate(info[0].As<Napi::Number>().DoubleValue());
  });
}

void Trainer::cancel(const Napi::CallbackInfo&) { *cancel_ = true; }

Napi::Value Trainer::dispose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (disposed_) {
      const auto done = Napi::Promise::Deferred::New(info.Env());
      done.Resolve(info.Env().Undefined());
      return done.Promise();
    }
    const bool was_busy = busy_;
    auto promise = start<Nothing>(
        info.Env(),
        [session = std::move(session_)](const Hooks&) mutable {
          session.reset();
#if defined(__GLIBC__)
          malloc_trim(0);  // glibc would keep what was freed
#endif
          return Nothing{};
        },
        undefined);
    disposed_ = true;
    if (was_busy) *cancel_ = true;
    return promise;
  });
}

Napi::Value Trainer::device(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), device_name_); }

Napi::Value Trainer::execution(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!session_) require_idle();
    return Napi::String::New(info.Env(), session_->execution->name());
  });
}

}  // namespace chestmnist
