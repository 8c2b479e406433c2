// Work on blocks of activations (kernels.h), distributed over the threads.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>

namespace chestmnist::cpu {

struct Map {
  int64_t height, width;
  int64_t positions() const { return height * width; }
};

// Calls f(i) once for every i below count. Each thread takes the next i when it finishes one, so that neither uneven
// work nor a busy core delays the others. What f writes must not depend on the thread.
template <typename F>
void share_out(int64_t count, F f) {
  std::atomic<int64_t> next{0};
  at::parallel_for(0, std::min<int64_t>(count, at::get_num_threads()), 1, [&](int64_t begin, int64_t end) {
    for (; begin < end; ++begin) {
      for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) f(i);
    }
  });
}

// Called with each block when it is complete, on the thread that computed it, while it is in that core's cache.
using Finish = std::function<void(int64_t position, int64_t panel, float* block)>;

}  // namespace chestmnist::cpu
