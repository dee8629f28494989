// CRIU's lazy dump (criu(8), --lazy-pages) as a way to images without memory: before it lets the
// processes go it waits for somebody who connects to its TCP port and asks for pages. That is its
// own action script, a program of ours (src/criu/lazy_pages/) that wants none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "os/process.h"

namespace still::criu {

inline constexpr uint16_t kLazyPagesPort = 1;  // any, and so the next one: nobody else is there

// The path of that program; empty: not installed.
std::filesystem::path lazy_pages_program();

// CRIU's options for it.
std::map<std::string, std::string> lazy_pages_options();

// The command, which calls CRIU, in a network namespace of its own: on this machine's loopback
// interface everybody could ask for the memory.
Command without_network(Command command);

}  // namespace still::criu
