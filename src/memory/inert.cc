#include "memory/inert.h"

#include <linux/close_range.h>
#include <sys/syscall.h>

#include <climits>
#include <cstring>

#include "base/error.h"
#include "base/format.h"

namespace still::memory {
namespace {

class Caller {
 public:
  Caller(Tracee& child, uint64_t system_call, Deadline deadline)
      : child_(child), deadline_(deadline), registers_(child.registers()) {
    registers_.rip = system_call;
    registers_.orig_rax = static_cast<uint64_t>(-1);  // nothing to be restarted
  }

  void call(const char* name, long number, uint64_t first = 0, uint64_t second = 0,
            uint64_t third = 0) {
    registers_.rax = static_cast<uint64_t>(number);
    registers_.rdi = first;
    registers_.rsi = second;
    registers_.rdx = third;
    child_.set_registers(registers_);
    const int64_t result = child_.run_system_call(deadline_).value;
    if (result >= 0) return;
    throw Error(ErrorKind::kConflict, formatted("{} fails in the copy {}: {}", name, child_.tid(),
                                                std::strerror(static_cast<int>(-result))));
  }

 private:
  Tracee& child_;
  const Deadline deadline_;
  user_regs_struct registers_;
};

}  // namespace

void make_inert(Tracee& child, uint64_t system_call, uint64_t scratch, Deadline deadline) {
  constexpr char kRoot[] = "/";
  Caller caller(child, system_call, deadline);
  // With a table of its own that nothing is copied into.
  caller.call("close_range", SYS_close_range, 0, UINT_MAX, CLOSE_RANGE_UNSHARE);
  caller.call("setsid", SYS_setsid);
  write_memory(child.tid(), scratch, kRoot, sizeof kRoot);
  caller.call("chdir", SYS_chdir, scratch);
}

}  // namespace still::memory
