// Work on blocks of activations (kernels.h), distributed over the threads.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

namespace chestmnist::cpu {

struct Map {
  int64_t height, width;
  int64_t positions() const { return height * width; }
};

// One product of a convolution: a live tap (its index among them) and the position it sees, or, of one tap, the
// positions that it joins.
struct Term {
  int64_t tap, position;
};
struct Pair {
  int64_t in, out;
};
using Terms = std::vector<std::vector<Term>>;  // per position

// Calls f(i) once for every i below count. Each thread takes the next i when it finishes one, so that neither uneven
// work nor a busy core delays the others. What f writes must not depend on the thread. What `enter` returns lives as
// long as a thread's work.
template <typename F, typename Enter>
void share_out(int64_t count, F f, Enter enter) {
  std::atomic<int64_t> next{0};
  at::parallel_for(0, std::min<int64_t>(count, at::get_num_threads()), 1, [&](int64_t begin, int64_t end) {
    const auto entered = enter();
    for (; begin < end; ++begin) {
      for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) f(i);
    }
  });
}

template <typename F>
void share_out(int64_t count, F f) {
  struct Nothing {
    ~Nothing() {}  // no warning that it is not used
  };
  share_out(count, f, [] { return Nothing{}; });
}

// Called with each block when it is complete, on the thread that computed it, while it is in that core's cache.
using Finish = std::function<void(int64_t position, int64_t panel, float* block)>;

}  // namespace chestmnist::cpu
