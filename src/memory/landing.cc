#include "memory/landing.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/format.h"
#include "base/text.h"
#include "memory/tracee.h"
#include "os/files.h"
#include "os/maps.h"

namespace still::memory {
namespace {

constexpr std::array<unsigned char, 2> kSystemCall = {0x0f, 0x05};
// mov $15, %rax; syscall, with both encodings of the first: what the C libraries and Go give the
// kernel as the end of signal handlers (SA_RESTORER).
constexpr std::array<unsigned char, 9> kLeaveLong = {0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05};
constexpr std::array<unsigned char, 7> kLeaveShort = {0xb8, 15, 0, 0, 0, 0x0f, 0x05};

constexpr uint64_t kMostCode = uint64_t{64} << 20;  // of a mapping that is searched
constexpr size_t kLongestWay = 64;
// The stack around rsp that a way to a return may use.
constexpr int64_t kReach = 256;

std::optional<uint64_t> find_bytes(std::span<const unsigned char> code,
                                   std::span<const unsigned char> wanted) {
  const auto found = std::ranges::search(code, wanted);
  if (found.empty()) return std::nullopt;
  return static_cast<uint64_t>(found.begin() - code.begin());
}

// Decodes the few instructions that compilers put between a system call and a return.
class Way {
 public:
  explicit Way(std::span<const unsigned char> code) : code_(code) {}

  std::optional<int64_t> to_return() {
    while (!code_.empty()) {
      if (code_[0] == 0xc3) return within_reach() ? std::optional(stack_) : std::nullopt;
      if (!step()) return std::nullopt;
    }
    return std::nullopt;
  }

 private:
  bool starts(std::initializer_list<unsigned char> bytes) const {
    return code_.size() > bytes.size() && std::ranges::equal(bytes, code_.first(bytes.size()));
  }
  bool skip(size_t bytes) {
    if (code_.size() <= bytes) return false;
    code_ = code_.subspan(bytes);
    return true;
  }
  bool within_reach() const { return stack_ >= -kReach && stack_ <= kReach; }
  bool pop() {
    stack_ += 8;
    return true;
  }
  // rsp is computed from rbp, which must still be what it was.
  bool from_frame(int64_t offset) {
    if (!frame_known_) return false;
    stack_ = offset;
    return true;
  }

  bool step() {
    const unsigned char first = code_[0];
    if (first >= 0x58 && first <= 0x5f && first != 0x5c) {  // pop, not of rsp
      if (first == 0x5d) frame_known_ = false;
      return pop() && skip(1);
    }
    if (first == 0x41 && code_.size() > 1 && code_[1] >= 0x58 && code_[1] <= 0x5f) {
      return pop() && skip(2);  // pop r8 to r15
    }
    if (first == 0xc9) {  // leave
      if (!from_frame(0)) return false;
      frame_known_ = false;
      return pop() && skip(1);
    }
    if (starts({0x48, 0x83, 0xc4})) {  // add imm8, rsp
      stack_ += static_cast<signed char>(code_[3]);
      return skip(4);
    }
    if (starts({0x48, 0x8d, 0x65})) {  // lea disp8(rbp), rsp
      return from_frame(static_cast<signed char>(code_[3])) && skip(4);
    }
    return clears_register();
  }

  // xor of a register with itself, as -fzero-call-used-regs makes it.
  bool clears_register() {
    const size_t prefix = code_[0] == 0x45 ? 1 : 0;
    if (code_.size() < prefix + 2 || code_[prefix] != 0x31) return false;
    const unsigned operands = code_[prefix + 1];
    const unsigned to = operands & 7;
    if (operands >> 6 != 3 || to != (operands >> 3 & 7)) return false;
    if (prefix == 0 && (to == 4 || to == 5)) return false;  // rsp, rbp
    return skip(prefix + 2);
  }

  std::span<const unsigned char> code_;
  int64_t stack_ = 0;  // rsp, from where it was
  bool frame_known_ = true;
};

}  // namespace

std::optional<int64_t> return_slot(std::span<const unsigned char> after_system_call) {
  return Way(after_system_call.first(std::min(kLongestWay, after_system_call.size()))).to_return();
}

std::optional<uint64_t> AddressMap::writable_start(uint64_t address) const {
  for (const auto& [start, end] : writable) {
    if (address >= start && address < end) return start;
  }
  return std::nullopt;
}

AddressMap read_address_map(pid_t pid) {
  AddressMap map;
  const std::string text = read_file(formatted("/proc/{}/maps", pid));
  for (const std::string& line : split(text, '\n')) {
    const auto mapping = parse_maps_line(line);
    if (!mapping) continue;
    const auto& [start, end, permissions, offset, device, inode, name] = *mapping;
    const bool private_writable = permissions[1] == 'w' && permissions[3] == 'p';
    if (private_writable) map.writable.emplace_back(start, end);
    if (name == "[stack]") {
      map.stack_start = start;
      map.stack_end = end;
    }
    const bool vdso = name == "[vdso]";
    // What nobody has written to, and can be read.
    const bool code = permissions[0] == 'r' && permissions[1] != 'w' && permissions[2] == 'x';
    if (code && (vdso || inode != 0)) {
      map.code.push_back({start, end, {vdso ? "vdso" : device, inode, offset}, vdso});
    }
  }
  return map;
}

Landings::Found Landings::look(pid_t pid, const CodeMapping& mapping) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto known = known_.find(mapping.content); known != known_.end()) {
      return known->second;
    }
  }
  std::vector<unsigned char> code(std::min(mapping.end - mapping.start, kMostCode));
  read_memory(pid, mapping.start, code.data(), code.size());
  Found found;
  for (size_t at = 0; !found.system_call;) {
    const auto next = find_bytes(std::span(code).subspan(at), kSystemCall);
    if (!next) break;
    at += *next + kSystemCall.size();
    if (const auto slot = return_slot(std::span(code).subspan(at))) {
      found.system_call = at - kSystemCall.size();
      found.return_slot = *slot;
    }
  }
  found.leave_handler = find_bytes(code, kLeaveLong);
  if (!found.leave_handler) found.leave_handler = find_bytes(code, kLeaveShort);
  const std::scoped_lock lock(mutex_);
  return known_[mapping.content] = found;
}

std::optional<Landing> Landings::find(pid_t pid, const AddressMap& map) {
  std::optional<uint64_t> system_call;
  std::optional<uint64_t> leave_handler;
  int64_t slot = 0;
  for (const CodeMapping& mapping : map.code) {
    const Found found = look(pid, mapping);
    if (!system_call && found.system_call) {
      system_call = mapping.start + *found.system_call;
      slot = found.return_slot;
    }
    if (!leave_handler && found.leave_handler) {
      leave_handler = mapping.start + *found.leave_handler;
    }
    if (system_call && leave_handler) return Landing{*system_call, slot, *leave_handler};
  }
  return std::nullopt;
}

}  // namespace still::memory
