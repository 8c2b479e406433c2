#include "js/trainer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <future>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "core/device.h"
#include "core/error.h"
#include "core/threads.h"
#include "js/contract.h"

namespace chestmnist {

namespace {

// A call with nothing to return.
struct Nothing {};

Napi::Value undefined(Napi::Env env, Nothing&) { return env.Undefined(); }

}  // namespace

Trainer::Session::Session(uint64_t seed, int64_t label_count, at::Device device, const AdamOptions& adam,
                          double average_decay, const ExecutionOptions& options)
    : device(device),
      label_count(label_count),
      model(options.stem, label_count, seed, device, options.precision == Precision::kFp64 ? at::kDouble : at::kFloat),
      optimizer(model.parameters(), adam) {
  if (average_decay > 0) averages.emplace(model, optimizer, average_decay);
  execution = make_execution(model, optimizer, averages ? &*averages : nullptr, options);
}

Napi::Function Trainer::define(Napi::Env env) {
  return DefineClass(
      env, "Trainer",
      {InstanceMethod<&Trainer::load_split>("loadSplit"), InstanceMethod<&Trainer::train_epoch>("trainEpoch"),
       InstanceMethod<&Trainer::predict>("predict"), InstanceMethod<&Trainer::gradients>("gradients"),
       InstanceMethod<&Trainer::state_dict>("stateDict"), InstanceMethod<&Trainer::load_state_dict>("loadStateDict"),
       InstanceMethod<&Trainer::optimizer_state>("optimizerState"),
       InstanceMethod<&Trainer::load_optimizer_state>("loadOptimizerState"), InstanceMethod<&Trainer::cancel>("cancel"),
       InstanceMethod<&Trainer::dispose>("dispose"), InstanceAccessor<&Trainer::device>("device"),
       InstanceAccessor<&Trainer::execution>("execution")});
}

Trainer::Trainer(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Trainer>(info) {
  guarded(info.Env(), [&] {
    const auto config = object_of(info[0], "config");
    ExecutionOptions options;
    options.stem = choice_of(config, "stem", kStems);
    options.precision = choice_of(config, "precision", kPrecisions);
    options.loss.criterion = choice_of(config, "criterion", kCriteria);
    options.loss.weights = floats_of(config, "labelWeights");
    options.loss.positive_focus = number_of(config, "positiveFocus");
    options.loss.negative_focus = number_of(config, "negativeFocus");
    options.loss.margin = number_of(config, "margin");
    options.loss.smoothing = number_of(config, "smoothing");
    options.exact = boolean_of(config, "exact");
    options.channels = integer_of(config, "channels", 1, 3);
    if (options.channels == 2) bad_argument("channels = 2", "1 (gray) or 3 (RGB)");
    channels_ = options.channels;
    options.input_size = integer_of(config, "inputSize", 1, 1 << 14);
    smallest_batch_ = smallest_batch(options);
    const auto seed = static_cast<uint64_t>(integer_of(config, "seed", 0, int64_t{1} << 53));
    const int threads = static_cast<int>(integer_of(config, "threads", 1, 1024));
    AdamOptions adam;
    adam.decoupled_weight_decay = choice_of(config, "optimizer", kOptimizers);
    adam.learning_rate = number_of(config, "learningRate");
    adam.weight_decay = number_of(config, "weightDecay");
    adam.decay_norms = boolean_of(config, "decayNorms");
    adam.clip_norm = number_of(config, "clipNorm");
    const double average_decay = number_of(config, "averageDecay");
    keeps_averages_ = average_decay > 0;
    label_count_ = integer_of(config, "labelCount", 1, 1 << 16);
    if (!options.loss.weights.empty() && static_cast<int64_t>(options.loss.weights.size()) != label_count_) {
      bad_argument(std::to_string(options.loss.weights.size()) + " labelWeights",
                   "none, or one for each of the " + std::to_string(label_count_) + " labels");
    }
    image_size_ = integer_of(config, "imageSize", 1, 1 << 14);
    const at::Device device = parse_device(text_of(config, "device"));
    device_name_ = device.str();
    // The work thread, those that OpenMP adds to it, and as many in LibTorch's second pool (set_num_threads makes it).
    require_threads(2 * threads - 1);
    // OpenMP keeps its thread count and its threads per thread: all operators run on the one where they are set.
    thread_ = std::make_unique<WorkThread>([threads] { at::set_num_threads(threads); });
    std::promise<std::shared_ptr<Session>> made;
    thread_->post([&] {
      try {
        made.set_value(std::make_shared<Session>(seed, label_count_, device, adam, average_decay, options));
      } catch (...) {
        made.set_exception(std::current_exception());
      }
    });
    session_ = made.get_future().get();
  });
}

namespace {

// Exchanges the model and its averages for as long as it lives.
class Averaged {
 public:
  Averaged(Execution& execution, Averages* averages) : execution_(execution), averages_(averages) { swap(); }
  ~Averaged() { swap(); }
  Averaged(const Averaged&) = delete;
  Averaged& operator=(const Averaged&) = delete;

 private:
  void swap() {
    if (averages_ == nullptr) return;
    execution_.flush();
    averages_->swap();
    execution_.reload();
  }
  Execution& execution_;
  Averages* averages_;
};

}  // namespace

bool Trainer::wants_averages(const Napi::Value& args) const {
  if (!args.IsObject() || !args.As<Napi::Object>().Get("averaged").ToBoolean()) return false;
  if (!keeps_averages_) bad_argument("averaged, of a trainer that keeps no averages", "averageDecay above 0");
  return true;
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
              "at least " + std::to_string(smallest_batch_) + ", since BatchNorm has no variance with one value",
              "use a larger --batch-size");
}

void Trainer::require_fit(const View& view, const char* next) const {
  const auto text = [](int64_t height, int64_t width, int64_t channels) {
    return std::to_string(height) + "x" + std::to_string(width) + (channels == 1 ? " gray" : " RGB");
  };
  if (view.height == image_size_ && view.width == image_size_ && view.channels == channels_) return;
  throw Error("ERR_DATA_SHAPE", "images of " + text(view.height, view.width, view.channels),
              "those of the trainer, " + text(image_size_, image_size_, channels_), next);
}

const Split& Trainer::split_for(const std::string& name, const std::vector<int32_t>& order) const {
  const auto found = split_counts_.find(name);
  if (found == split_counts_.end()) bad_argument("no split named " + name, "a split loaded with loadSplit()");
  for (const int32_t index : order) {
    if (index < 0 || index >= found->second) {
      bad_argument("order holds " + std::to_string(index), "indices from 0 to " + std::to_string(found->second - 1));
    }
  }
  return session_->splits.at(name);  // safe: only a running call changes splits, and none runs now
}

template <typename Result>
Napi::Value Trainer::start(Napi::Env env, std::function<Result(const Hooks&)> work,
                           std::function<Napi::Value(Napi::Env, Result&)> convert, Napi::Value on_progress) {
  busy_ = true;
  *cancel_ = false;
  Ref();  // keeps the object alive during the call even if JavaScript drops it
  const auto settled = [this] {
    busy_ = false;
    Unref();
  };
  return Job<Result>{std::move(work), std::move(convert), settled}.start(env, *thread_, cancel_, on_progress);
}

Napi::Value Trainer::load_split(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    require_idle();
    if (!info[0].IsString()) bad_argument("a split name that is not a string", "a string");
    const std::string name = info[0].As<Napi::String>();
    const View view = view_of(info[1]);
    const auto labels = typed_array_of<Napi::Uint8Array>(info[2], napi_uint8_array, "labels", "Uint8Array");
    require_fit(view, "make a trainer for these images");
    if (static_cast<int64_t>(labels.ElementLength()) != view.count * label_count_ || view.count == 0) {
      throw Error("ERR_DATA_SHAPE",
                  std::to_string(labels.ElementLength()) + " labels for " + std::to_string(view.count) + " images",
                  "at least one image, and " + std::to_string(label_count_) + " labels for each",
                  "pass labels and images of one split");
    }
    // Copied here, on the JavaScript thread: later the caller may change or detach the buffer.
    auto split = std::make_shared<Split>(
        make_split(view.data.Data(), view.shape(), labels.Data(), label_count_, at::Device(at::kCPU)));
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
    auto inputs = std::make_shared<EpochInputs>();
    inputs->order = order_of(args);
    inputs->batch_size = integer_of(args, "batchSize", 1, 1 << 24);
    inputs->learning_rates = rates_of(args);
    const Split& split = split_for(name, inputs->order);
    inputs->augmentation = augmentation_of(args, split_counts_.at(name));
    const auto total = static_cast<int64_t>(inputs->order.size()), steps = steps_of(total, inputs->batch_size);
    const auto rates = static_cast<int64_t>(inputs->learning_rates.size());
    if (rates != 0 && rates != steps) {
      bad_argument(std::to_string(rates) + " learningRates", std::to_string(steps) + ", one per step");
    }
    if (total > 0) require_batch(std::min(inputs->batch_size, total));
    return start<EpochResult>(
        info.Env(),
        [session = session_, &split, inputs](const Hooks& hooks) {
          inputs->augmentation = inputs->augmentation.to(session->device);
          return chestmnist::train_epoch(*session->execution, session->optimizer, split, *inputs, hooks);
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
    const bool averaged = wants_averages(args), evidence = args.Get("evidence").ToBoolean();
    auto split = std::make_shared<Split>();
    if (args.Has("images")) {
      const View view = view_of(args.Get("images"));
      require_fit(view, "resize them, or make a trainer for them");
      *split = make_split(view.data.Data(), view.shape(), nullptr, 0, at::Device(at::kCPU));
    } else {
      *split = split_for(text_of(args, "split"), {});
    }
    return start<Prediction>(
        info.Env(),
        [session = session_, split, batch_size, averaged, evidence](const Hooks& hooks) {
          const Averaged state(*session->execution, averaged ? &*session->averages : nullptr);
          split->images = split->images.to(session->device);
          return chestmnist::predict(*session->execution, *split, session->label_count, batch_size, evidence, hooks);
        },
        [](Napi::Env env, Prediction& result) -> Napi::Value {
          auto object = Napi::Object::New(env);
          const auto array_of = [&](const std::vector<float>& values) {
            auto array = Napi::Float32Array::New(env, values.size());
            std::copy(values.begin(), values.end(), array.Data());
            return array;
          };
          object.Set("logits", array_of(result.logits));
          if (!result.evidence.empty()) object.Set("evidence", array_of(result.evidence));
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
    auto augmentation = std::make_shared<Augmentation>(augmentation_of(args, split_counts_.at(name)));
    require_batch(order->size());
    using Result = std::pair<double, std::vector<HostTensor>>;
    return start<Result>(
        info.Env(),
        [session = session_, &split, order, augmentation](const Hooks&) {
          const double loss = session->execution->backward(split, *order, augmentation->to(session->device));
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

Napi::Value Trainer::write_state(const Napi::CallbackInfo& info, StateOf state_of, const StateKind& kind) {
  return guarded(info.Env(), [&] {
    require_idle();
    auto state = std::make_shared<std::vector<HostTensor>>(host_tensors_of(info[0]));
    return start<Nothing>(
        info.Env(),
        [session = session_, state, state_of, kind](const Hooks&) {
          session->execution->flush();
          from_host(state_of(*session), *state, kind);
          // Averages of other weights mean nothing.
          if (session->averages && state_of == model_state) session->averages->reset();
          session->execution->reload();
          return Nothing{};
        },
        undefined);
  });
}

Napi::Value Trainer::state_dict(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return read_state(info, wants_averages(info[0]) ? average_state : model_state); });
}

Napi::Value Trainer::load_state_dict(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return write_state(info, wants_averages(info[1]) ? average_state : model_state,
                       {"state dict", "ERR_WEIGHTS", "use weights of the same network, labels and stem"});
  });
}

Napi::Value Trainer::optimizer_state(const Napi::CallbackInfo& info) { return read_state(info, adam_state); }

Napi::Value Trainer::load_optimizer_state(const Napi::CallbackInfo& info) {
  // Only a checkpoint holds one.
  return write_state(info, adam_state,
                     {"optimizer state", "ERR_CHECKPOINT_INCOMPATIBLE", "use a checkpoint of the same network"});
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
          malloc_trim(0);  // glibc would keep freed memory
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
