// The exception of native code: a stable code and the three parts of every message (see src/base/errors.ts).
#pragma once

#include <stdexcept>
#include <string>

namespace chestmnist {

struct Error : std::runtime_error {
  Error(std::string code, std::string found, std::string needed, std::string next, std::string reason = {})
      : std::runtime_error(found + ". Needed: " + needed + ". Next: " + next),
        code(std::move(code)),
        found(std::move(found)),
        needed(std::move(needed)),
        next(std::move(next)),
        reason(std::move(reason)) {}

  std::string code, found, needed, next;
  std::string reason;  // only with ERR_CUDA_UNAVAILABLE
};

}  // namespace chestmnist
