// Commands on one or several containers: the words and flags that name them, and what happens when
// one of several fails.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/app.h"
#include "engine/container/selection.h"

namespace still::cli {

struct ContainerArguments {
  engine::Selection selection;
  bool ignore_missing = false;  // --ignore
};

// CONTAINER..., -l/--latest, and -a/--all with this description where Podman has it (as --all alone
// where -a means something else).
void add_container_arguments(CLI::App& command, ContainerArguments& arguments);
void add_all_flag(CLI::App& command, ContainerArguments& arguments, const std::string& names,
                  const std::string& description);
// --no-wait, for commands that need the container for themselves.
void add_no_wait_flag(CLI::App& command);
void add_ignore_flag(CLI::App& command, ContainerArguments& arguments);

// A container that was named, as it was named: with --all and --latest that is the id.
struct NamedContainer {
  std::string id;
  std::string label;  // what is printed for it
};

// Throws Error(kUsage), and Error(kNotFound) unless missing ones are to be ignored; when several
// names are wrong every one but the last has been reported. Nothing has been touched then.
std::vector<NamedContainer> find_containers(Context& context, const ContainerArguments& arguments);

// Runs action on each and prints the label after it; an error is printed and the next one follows.
// Returns the exit code: 0, or that of the last error.
int for_each_container(Context& context, const ContainerArguments& arguments,
                       const std::function<void(const std::string& id)>& action);

// The same for things that are not containers: names as given, nothing looked up before.
int for_each_name(const std::vector<std::string>& names,
                  const std::function<void(const std::string& name)>& action);

// Runs a step, which prints its own; its error is printed. Returns its exit code. Throws what
// interrupted it.
int attempt(const std::function<void()>& step);

// The one container of a command that takes just one: --latest or the first of the words, which is
// removed from them. Returns its full id. Throws Error(kUsage), Error(kNotFound).
std::string take_container(Context& context, bool latest, std::vector<std::string>& words);

}  // namespace still::cli
