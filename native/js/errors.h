// C++ exception -> JavaScript error. An Error (core/error.h) becomes a ChestMnistError, whose constructor TypeScript
// passes in once (setErrorClass).
#pragma once

#include <napi.h>

#include <exception>
#include <string>

namespace chestmnist {

// The addon's data in one environment (main thread or worker).
struct AddonData {
  Napi::FunctionReference trainer;
  Napi::FunctionReference error_class;
};

// The JavaScript error for an exception in flight. `stack` is the caller's, or empty for a synchronous throw.
Napi::Value to_js_error(Napi::Env env, const std::exception_ptr& error, const std::string& stack);

// Stack frames of the JavaScript caller, taken when an asynchronous call begins.
std::string caller_stack(Napi::Env env);

// Runs `body`; an exception in it becomes a JavaScript throw.
template <typename Body>
auto guarded(Napi::Env env, Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error(env, to_js_error(env, std::current_exception(), {}));
  }
}

}  // namespace chestmnist
