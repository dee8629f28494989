// Where in a process there is code that serves for a system call of ours.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace still::memory {

// A system call instruction and the way from it to a return, which goes through a value of the
// stack; and the code to return to that leaves a signal handler (rt_sigreturn(2)).
struct Landing {
  uint64_t system_call = 0;
  // From where rsp and rbp point to before the call to where the address to return to is.
  int64_t return_slot = 0;
  uint64_t leave_handler = 0;
};

// A mapping with code in it.
struct CodeMapping {
  uint64_t start = 0, end = 0;
  std::tuple<std::string, uint64_t, uint64_t> content;  // device, inode, offset
  bool vdso = false;
};
struct AddressMap {
  std::vector<CodeMapping> code;
  uint64_t stack_start = 0, stack_end = 0;  // of the first thread, that the kernel made
  // Start of the private writable mapping that holds the address; nullopt if there is none.
  std::optional<uint64_t> writable_start(uint64_t address) const;
  std::vector<std::pair<uint64_t, uint64_t>> writable;
};
// Throws Error(kSystem).
AddressMap read_address_map(pid_t pid);

// Finds them; what was found in a file once is known for all processes that map it.
class Landings {
 public:
  // nullopt where there is none. Safe to be called by several threads. Throws Error(kSystem).
  std::optional<Landing> find(pid_t pid, const AddressMap& map);

 private:
  struct Found {
    std::optional<uint64_t> system_call;  // offsets in the mapping
    int64_t return_slot = 0;
    std::optional<uint64_t> leave_handler;
  };
  Found look(pid_t pid, const CodeMapping& mapping);

  std::mutex mutex_;
  std::map<std::tuple<std::string, uint64_t, uint64_t>, Found> known_;
};

// --- the same as plain computation
// -----------------------------------------------------------------

// Where, in code, an address of the stack is returned to after a system call, and how far from rsp
// (which equals rbp before the call) that is. nullopt: this is no way to a return.
std::optional<int64_t> return_slot(std::span<const unsigned char> after_system_call);

}  // namespace still::memory
