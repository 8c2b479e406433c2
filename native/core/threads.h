// Whether the system starts the threads that OpenMP will need: OpenMP itself ends the process when it does not.
#pragma once

#include "core/error.h"

namespace chestmnist {

// Starts and ends `count` threads at the same time. Throws ERR_RESOURCES when the system refuses one.
void require_threads(int count);

Error out_of_threads(int count);

}  // namespace chestmnist
