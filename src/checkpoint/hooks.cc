#include "checkpoint/hooks.h"

namespace still::checkpoint::hooks {

bool freeze_is_off() { return false; }

}  // namespace still::checkpoint::hooks
