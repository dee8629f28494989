#include "oci/seccomp_filter.h"

#include <linux/filter.h>
#include <seccomp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "oci/seccomp.h"

namespace still::oci {
namespace {

using nlohmann::json;

constexpr size_t kMaxInstructions = BPF_MAXINSNS;

[[noreturn]] void refuse() {
  throw Error(ErrorKind::kCorrupt, "it has a seccomp filter that no kernel would load");
}

class Machine {
 public:
  Machine(std::string_view program, const seccomp_data& call) : program_(program) {
    std::memcpy(data_.data(), &call, sizeof call);
  }

  uint32_t run() {
    const size_t count = program_.size() / sizeof(sock_filter);
    // Jumps only go forward: it ends.
    for (size_t at = 0; at < count;) {
      const sock_filter instruction = fetch(at++);
      if (BPF_CLASS(instruction.code) == BPF_RET) return result(instruction);
      if (BPF_CLASS(instruction.code) == BPF_JMP) {
        at += distance(instruction);
      } else {
        step(instruction);
      }
    }
    refuse();  // ran over its end
  }

 private:
  sock_filter fetch(size_t at) const {
    sock_filter instruction{};
    std::memcpy(&instruction, program_.data() + at * sizeof instruction, sizeof instruction);
    return instruction;
  }

  uint32_t result(const sock_filter& instruction) const {
    if (instruction.code == (BPF_RET | BPF_K)) return instruction.k;
    if (instruction.code == (BPF_RET | BPF_A)) return a_;
    refuse();
  }

  uint32_t operand(const sock_filter& instruction) const {
    return BPF_SRC(instruction.code) == BPF_X ? x_ : instruction.k;
  }

  size_t distance(const sock_filter& instruction) const {
    const uint32_t value = operand(instruction);
    bool holds = false;
    switch (BPF_OP(instruction.code)) {
      case BPF_JA:
        return instruction.k;
      case BPF_JEQ:
        holds = a_ == value;
        break;
      case BPF_JGT:
        holds = a_ > value;
        break;
      case BPF_JGE:
        holds = a_ >= value;
        break;
      case BPF_JSET:
        holds = (a_ & value) != 0;
        break;
      default:
        refuse();
    }
    return holds ? instruction.jt : instruction.jf;
  }

  void step(const sock_filter& instruction) {
    switch (BPF_CLASS(instruction.code)) {
      case BPF_LD:
        a_ = load(instruction);
        break;
      case BPF_LDX:
        if (BPF_MODE(instruction.code) == BPF_ABS) refuse();
        x_ = load(instruction);
        break;
      case BPF_ST:
        memory(instruction) = a_;
        break;
      case BPF_STX:
        memory(instruction) = x_;
        break;
      case BPF_ALU:
        compute(instruction);
        break;
      default:  // BPF_MISC
        if (BPF_MISCOP(instruction.code) == BPF_TAX) {
          x_ = a_;
        } else {
          a_ = x_;
        }
    }
  }

  uint32_t load(const sock_filter& instruction) {
    if (BPF_SIZE(instruction.code) != BPF_W) refuse();
    switch (BPF_MODE(instruction.code)) {
      case BPF_IMM:
        return instruction.k;
      case BPF_MEM:
        return memory(instruction);
      case BPF_LEN:
        return sizeof(seccomp_data);
      case BPF_ABS: {
        if (instruction.k % 4 != 0 || instruction.k >= data_.size()) refuse();
        uint32_t value = 0;
        std::memcpy(&value, data_.data() + instruction.k, sizeof value);
        return value;
      }
      default:
        refuse();
    }
  }

  uint32_t& memory(const sock_filter& instruction) {
    if (instruction.k >= memory_.size()) refuse();
    return memory_[instruction.k];
  }

  void compute(const sock_filter& instruction) {
    const uint32_t value = operand(instruction);
    switch (BPF_OP(instruction.code)) {
      case BPF_ADD:
        a_ += value;
        break;
      case BPF_SUB:
        a_ -= value;
        break;
      case BPF_MUL:
        a_ *= value;
        break;
      case BPF_DIV:
        a_ = value == 0 ? 0 : a_ / value;
        break;
      case BPF_AND:
        a_ &= value;
        break;
      case BPF_OR:
        a_ |= value;
        break;
      case BPF_XOR:
        a_ ^= value;
        break;
      case BPF_LSH:
        a_ = value < 32 ? a_ << value : 0;
        break;
      case BPF_RSH:
        a_ = value < 32 ? a_ >> value : 0;
        break;
      case BPF_NEG:
        a_ = -a_;
        break;
      default:
        refuse();
    }
  }

  const std::string_view program_;
  std::array<char, sizeof(seccomp_data)> data_{};
  std::array<uint32_t, BPF_MEMWORDS> memory_{};
  uint32_t a_ = 0;
  uint32_t x_ = 0;
};

bool is_allowed(const json& profile, const std::string& name) {
  constexpr const char* kAllow = "SCMP_ACT_ALLOW";
  bool allowed = profile.at("defaultAction") == kAllow;
  for (const json& rule : profile.value("syscalls", json::array())) {
    if (!std::ranges::contains(rule.at("names"), json(name))) continue;
    if (rule.at("action") == kAllow) return true;
    // A rule for some arguments says nothing about the others.
    if (rule.value("args", json::array()).empty()) allowed = false;
  }
  return allowed;
}

std::vector<uint32_t> architectures() {
  const uint32_t native = ::seccomp_arch_native();
  if (native != SCMP_ARCH_X86_64) return {native};
  return {native, SCMP_ARCH_X86, SCMP_ARCH_X32};
}

std::optional<SystemCall> find_call(const std::string& name, uint32_t architecture) {
  const int number = ::seccomp_syscall_resolve_name_arch(architecture, name.c_str());
  if (number < 0) return std::nullopt;  // not there
  // The kernel calls x32 x86-64, with a bit in the number.
  const uint32_t of_kernel = architecture == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : architecture;
  return SystemCall{name, of_kernel, number};
}

}  // namespace

uint32_t run_seccomp_filter(std::string_view program, const seccomp_data& call) {
  if (program.empty() || program.size() % sizeof(sock_filter) != 0 ||
      program.size() / sizeof(sock_filter) > kMaxInstructions) {
    refuse();
  }
  return Machine(program, call).run();
}

std::vector<SystemCall> refused_system_calls(const json& profile) {
  std::vector<SystemCall> calls;
  for (const char* name : reaching_system_calls()) {
    if (is_allowed(profile, name)) continue;
    for (const uint32_t architecture : architectures()) {
      if (auto call = find_call(name, architecture)) calls.push_back(std::move(*call));
    }
  }
  return calls;
}

}  // namespace still::oci
