// The JavaScript class Trainer (contract: src/engine/contract.ts). It checks arguments, refuses calls while busy or
// after dispose, and queues the work on the trainer's own thread.
#pragma once

#include <napi.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/state_dict.h"
#include "core/training.h"
#include "js/arguments.h"
#include "js/job.h"

namespace chestmnist {

class Trainer : public Napi::ObjectWrap<Trainer> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Trainer(const Napi::CallbackInfo& info);
  // The environment may end during an epoch: the thread stops at the next batch and is joined.
  ~Trainer() override { *cancel_ = true; }

 private:
  // Everything on the device. After construction only the thread uses it.
  struct Session {
    Session(uint64_t seed, int64_t label_count, at::Device device, const AdamOptions& adam, double average_decay,
            const ExecutionOptions& options);
    at::Device device;
    int64_t label_count;
    ResNet18 model;
    Adam optimizer;
    std::optional<Averages> averages;
    std::unique_ptr<Execution> execution;
    std::map<std::string, Split> splits;
  };

  Napi::Value load_split(const Napi::CallbackInfo& info);
  Napi::Value train_epoch(const Napi::CallbackInfo& info);
  Napi::Value predict(const Napi::CallbackInfo& info);
  Napi::Value gradients(const Napi::CallbackInfo& info);
  Napi::Value state_dict(const Napi::CallbackInfo& info);
  Napi::Value load_state_dict(const Napi::CallbackInfo& info);
  Napi::Value optimizer_state(const Napi::CallbackInfo& info);
  Napi::Value load_optimizer_state(const Napi::CallbackInfo& info);
  void cancel(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value execution(const Napi::CallbackInfo& info);

  // The named tensors of the model, of its averages or of the optimizer.
  using StateOf = const std::vector<NamedTensor>& (*)(const Session&);
  static const std::vector<NamedTensor>& model_state(const Session& session) { return session.model.state(); }
  static const std::vector<NamedTensor>& average_state(const Session& session) { return session.averages->state(); }
  static const std::vector<NamedTensor>& adam_state(const Session& session) { return session.optimizer.state(); }
  Napi::Value read_state(const Napi::CallbackInfo& info, StateOf state_of);
  Napi::Value write_state(const Napi::CallbackInfo& info, StateOf state_of, const StateKind& kind);

  // Whether the field `averaged` asks for the averages. Throws ERR_CONFIG where the trainer keeps none.
  bool wants_averages(const Napi::Value& args) const;
  void require_idle() const;
  void require_batch(int64_t size) const;
  void require_fit(const View& view, const char* next) const;
  // The named split. Throws ERR_CONFIG if it is unknown or `order` has an index outside of it.
  const Split& split_for(const std::string& name, const std::vector<int32_t>& order) const;

  template <typename Result>
  Napi::Value start(Napi::Env env, std::function<Result(const Hooks&)> work,
                    std::function<Napi::Value(Napi::Env, Result&)> convert, Napi::Value on_progress = {});

  std::string device_name_;
  int64_t label_count_ = 0, image_size_ = 0, channels_ = 1, smallest_batch_ = 1;
  bool keeps_averages_ = false;
  bool busy_ = false, disposed_ = false;
  std::shared_ptr<std::atomic<bool>> cancel_ = std::make_shared<std::atomic<bool>>(false);
  std::map<std::string, int64_t> split_counts_;  // for checking orders on the JavaScript thread
  std::shared_ptr<Session> session_;
  std::unique_ptr<WorkThread> thread_;  // last: joined before the session is destroyed
};

}  // namespace chestmnist
