#include "checkpoint/own_rules.h"

#include <csignal>

#include "base/format.h"
#include "base/text.h"
#include "os/process_status.h"

namespace still::checkpoint {

std::string rule_of_its_own(std::string_view status, std::string_view personality,
                            int64_t exit_signal) {
  const std::string whole_address = "0xffffffffffffffff";
  if (status_field(status, "x86_Thread_features").value_or("").contains("shstk")) {
    return "a shadow stack";
  }
  if (status_field(status, "untag_mask").value_or(whole_address) != whole_address) {
    return "tagged addresses";
  }
  if (trim(personality).find_first_not_of('0') != std::string_view::npos) {
    return formatted("a personality of its own ({})", printable(trim(personality)));
  }
  // Negative while one thread takes the place of another (execve(2)).
  if (exit_signal != SIGCHLD && exit_signal >= 0) {
    return formatted("another signal for its end than SIGCHLD ({})", exit_signal);
  }
  return {};
}

}  // namespace still::checkpoint
