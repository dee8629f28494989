// What a seccomp filter that is already compiled does, told by running it. Internal to criu/.
#pragma once

#include <linux/seccomp.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace still::oci {

// Runs a program of classic BPF (struct sock_filter, one after the other) as the kernel would for
// this system call; returns what it returns, SECCOMP_RET_... . Throws Error(kCorrupt) for one that
// the kernel would not load.
uint32_t run_seccomp_filter(std::string_view program, const seccomp_data& call);

struct SystemCall {
  std::string name;
  uint32_t architecture = 0;  // AUDIT_ARCH_..., as in seccomp_data
  int number = 0;
};

// Of those system calls that reach beyond a container: what a profile (as default_seccomp() returns
// it) refuses, for every way into this machine's kernel (on x86-64 also as i386 and x32).
std::vector<SystemCall> refused_system_calls(const nlohmann::json& profile);

}  // namespace still::oci
