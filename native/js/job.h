// The only asynchronous code: a thread per trainer, and a template that runs work on it and settles a Promise. An
// exception in the work rejects the promise; none leaves the thread.
#pragma once

#include <napi.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/training.h"
#include "js/errors.h"

namespace chestmnist {

// Runs tasks one after another. join() finishes the queued tasks first.
class WorkThread {
 public:
  explicit WorkThread(std::function<void()> on_start)
      : thread_([this, on_start = std::move(on_start)] {
          on_start();
          run();
        }) {}
  ~WorkThread() { join(); }

  void post(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
  }

  void join() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses the members above
};

// One asynchronous call. `work` runs on the thread and must not touch JavaScript; `convert` and `settled` run on the
// JavaScript thread. Progress is reported at most ten times a second and dropped while a report is still waiting.
template <typename Result>
struct Job {
  std::function<Result(const Hooks&)> work;
  std::function<Napi::Value(Napi::Env, Result&)> convert;
  std::function<void()> settled;

  Napi::Promise start(Napi::Env env, WorkThread& thread, std::shared_ptr<std::atomic<bool>> cancel,
                      Napi::Value on_progress);

 private:
  static constexpr std::chrono::milliseconds kReportInterval{100};

  struct Call {
    Job job;
    Napi::Promise::Deferred deferred;
    std::string stack;
    Napi::ThreadSafeFunction to_js;
    std::atomic<bool> report_waiting{false};
    std::optional<Result> result;
    std::exception_ptr error;
    WorkThread& thread;
    std::shared_ptr<std::atomic<bool>> cancel;

    Call(Job job, Napi::Env env, WorkThread& thread, std::shared_ptr<std::atomic<bool>> cancel)
        : job(std::move(job)), deferred(env), stack(caller_stack(env)), thread(thread), cancel(std::move(cancel)) {}
    Hooks hooks(bool reports);
    void settle(Napi::Env env);
    // The environment ends (process.exit, a terminated worker) while the call runs. Registered after `to_js`, so it
    // runs before `to_js` closes: the thread must not use `to_js` after that.
    static void on_environment_end(void* call) {
      *static_cast<Call*>(call)->cancel = true;
      static_cast<Call*>(call)->thread.join();
    }
  };
};

inline Napi::Object to_js(Napi::Env env, const Progress& progress) {
  auto object = Napi::Object::New(env);
  object.Set("samples", static_cast<double>(progress.samples));
  object.Set("steps", static_cast<double>(progress.steps));
  object.Set("lossSum", progress.loss_sum);
  object.Set("loss", progress.loss);
  object.Set("seconds", progress.seconds);
  return object;
}

template <typename Result>
Hooks Job<Result>::Call::hooks(bool reports) {
  using Clock = std::chrono::steady_clock;
  const auto last = std::make_shared<Clock::time_point>(Clock::now());
  Hooks hooks;
  hooks.cancelled = [this] { return cancel->load(); };
  hooks.wants_progress = [this, reports, last] {
    return reports && !report_waiting && Clock::now() - *last >= kReportInterval;
  };
  hooks.report = [this, last](const Progress& progress) {
    *last = Clock::now();
    report_waiting = true;
    // Delivered before settle(): both use one first-in-first-out queue.
    to_js.NonBlockingCall([this, progress](Napi::Env env, Napi::Function on_progress) {
      report_waiting = false;
      on_progress.Call({chestmnist::to_js(env, progress)});
    });
  };
  return hooks;
}

template <typename Result>
void Job<Result>::Call::settle(Napi::Env env) {
  napi_remove_env_cleanup_hook(env, on_environment_end, this);
  job.settled();
  if (!error) {
    try {
      deferred.Resolve(job.convert(env, *result));
      return;
    } catch (...) {
      error = std::current_exception();
    }
  }
  deferred.Reject(to_js_error(env, error, stack));
}

template <typename Result>
Napi::Promise Job<Result>::start(Napi::Env env, WorkThread& thread, std::shared_ptr<std::atomic<bool>> cancel,
                                 Napi::Value on_progress) {
  const bool reports = on_progress.IsFunction();
  const auto callback =
      reports ? on_progress.As<Napi::Function>() : Napi::Function::New(env, [](const Napi::CallbackInfo&) {});
  const auto call = std::make_shared<Call>(std::move(*this), env, thread, std::move(cancel));
  call->to_js = Napi::ThreadSafeFunction::New(env, callback, "chestmnist", /*maxQueueSize=*/0, /*threads=*/1);
  napi_add_env_cleanup_hook(env, Call::on_environment_end, call.get());
  thread.post([call, reports] {
    try {
      call->result = call->job.work(call->hooks(reports));
    } catch (...) {
      call->error = std::current_exception();
    }
    // The lambda holds `call`, so a queued report never outlives it. Not called if the environment is ending.
    call->to_js.BlockingCall([call](Napi::Env env, Napi::Function) { call->settle(env); });
    call->to_js.Release();
  });
  return call->deferred.Promise();
}

}  // namespace chestmnist
