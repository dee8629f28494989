// The keys that end an attachment while the container runs on: ctrl-p, ctrl-q.
#pragma once

#include <string>
#include <string_view>

namespace still::engine {

class DetachKeys {
 public:
  struct Filtered {
    std::string passed;   // what the container gets
    bool detach = false;  // the keys were typed; what came after them is dropped
  };
  // Takes what was typed. A ctrl-p is held back until the next key shows what it meant.
  Filtered filter(std::string_view typed);

 private:
  bool first_seen_ = false;
};

}  // namespace still::engine
