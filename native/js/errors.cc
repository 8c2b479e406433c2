#include "js/errors.h"

#include <c10/util/Exception.h>

#include <new>
#include <system_error>

#include "core/error.h"
#include "core/threads.h"

namespace chestmnist {

namespace {

Napi::Value make_error(Napi::Env env, const Error& error) {
  const Napi::FunctionReference& error_class = env.GetInstanceData<AddonData>()->error_class;
  if (error_class.IsEmpty()) return Napi::Error::New(env, error.what()).Value();
  const auto text = [&](const std::string& value) { return Napi::String::New(env, value); };
  const auto parts = Napi::Object::New(env), options = Napi::Object::New(env);
  parts.Set("found", text(error.found));
  parts.Set("needed", text(error.needed));
  parts.Set("next", text(error.next));
  if (!error.reason.empty()) options.Set("reason", text(error.reason));
  return error_class.New({text(error.code), parts, options});
}

// LibTorch's allocator throws OutOfMemoryError; the CUDA libraries have their own allocators and messages.
bool is_out_of_memory(const c10::Error& error, const std::string& what) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  const auto says = [&](const char* text) { return what.find(text) != std::string::npos; };
  return says("CUDA error: out of memory") || says("CUBLAS_STATUS_ALLOC_FAILED") || says("CUDNN_STATUS_ALLOC_FAILED") ||
         says("DEVICE_ALLOCATION_FAILED");
}

// The allocator of the CPU fails with c10::Error ("enforce fail ... DefaultCPUAllocator: can't allocate memory"), the
// C++ library with bad_alloc.
bool is_out_of_host_memory(const std::string& what) {
  const auto says = [&](const char* text) { return what.find(text) != std::string::npos; };
  return says("can't allocate memory") || says("not enough memory") || says("Cannot allocate memory");
}

Error out_of_host_memory(const std::string& what) {
  return {"ERR_RESOURCES", "the system gives this process no more memory (" + what + ")",
          "more free memory, and a limit (ulimit -v, a container, a batch job) that allows it",
          "use a smaller --batch-size or --size, close other programs, or raise the limit"};
}

}  // namespace

Napi::Value to_js_error(Napi::Env env, const std::exception_ptr& exception, const std::string& stack) {
  Napi::Value value;
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    value = make_error(env, error);
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    if (is_out_of_memory(error, what)) {
      value = make_error(env, {"ERR_CUDA_OUT_OF_MEMORY", what, "more free memory on the device",
                               "use a smaller --batch-size, or another device"});
    } else if (is_out_of_host_memory(what)) {
      value = make_error(env, out_of_host_memory(what));
    } else {
      value = Napi::Error::New(env, "LibTorch: " + what).Value();
    }
  } catch (const std::bad_alloc& error) {
    value = make_error(env, out_of_host_memory(error.what()));
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) {
      value = make_error(env, out_of_threads(1));
    } else if (error.code() == std::errc::not_enough_memory) {
      value = make_error(env, out_of_host_memory(error.what()));
    } else {
      value = Napi::Error::New(env, error.what()).Value();
    }
  } catch (const std::exception& error) {
    value = Napi::Error::New(env, error.what()).Value();
  } catch (...) {
    value = Napi::Error::New(env, "an exception of unknown type in native code").Value();
  }
  if (!stack.empty()) {
    const auto object = value.As<Napi::Object>();
    const std::string header = object.Get("name").ToString().Utf8Value() + ": " +  //
                               object.Get("message").ToString().Utf8Value();
    object.Set("stack", header + stack);
  }
  return value;
}

std::string caller_stack(Napi::Env env) {
  const std::string stack = Napi::Error::New(env, "").Value().Get("stack").ToString().Utf8Value();
  const size_t first_frame = stack.find('\n');
  return first_frame == std::string::npos ? std::string("\n    at native code") : stack.substr(first_frame);
}

}  // namespace chestmnist
