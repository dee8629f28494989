#include "criu/lazy_dump.h"

#include "criu/installation.h"

namespace still::criu {

std::filesystem::path lazy_pages_program() { return find_installed("still_lazy_pages"); }

std::map<std::string, std::string> lazy_pages_options() {
  return {{"lazy-pages", ""},
          {"address", "127.0.0.1"},
          {"port", std::to_string(kLazyPagesPort)},
          {"action-script", lazy_pages_program()}};
}

Command without_network(Command command) {
  command.arguments.insert(command.arguments.begin(), lazy_pages_program());
  return command;
}

}  // namespace still::criu
