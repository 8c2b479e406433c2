#include "core/threads.h"

#include <future>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace chestmnist {

void require_threads(int count) {
  std::promise<void> all_started;
  const std::shared_future<void> started = all_started.get_future().share();
  std::vector<std::thread> threads;
  threads.reserve(count);
  bool refused = false;
  try {
    for (int i = 0; i < count; ++i) threads.emplace_back([started] { started.wait(); });
  } catch (const std::system_error&) {
    refused = true;
  }
  all_started.set_value();
  for (std::thread& thread : threads) thread.join();
  if (refused) throw out_of_threads(count);
}

Error out_of_threads(int count) {
  return {"ERR_RESOURCES", "the system does not start " + std::to_string(count) + " more thread(s) for this process",
          "a limit of processes (ulimit -u, pids of a container) and of memory (ulimit -v) with room for them",
          "use fewer --threads, or raise the limit"};
}

}  // namespace chestmnist
