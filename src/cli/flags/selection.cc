#include "cli/flags/selection.h"

#include <iostream>
#include <optional>
#include <set>
#include <utility>

#include "store/lock.h"

namespace still::cli {
namespace {

// The ids behind the words, each once; reports words that name nothing and goes on to the next.
class Finder {
 public:
  Finder(Context& context, bool ignore_missing)
      : store_(context.store()), ignore_missing_(ignore_missing) {}

  void find(const std::string& word) try {
    const std::string id = store_.find_container(word).id;
    if (seen_.insert(id).second) found_.push_back({id, word});
  } catch (const Error& error) {
    if (ignore_missing_ && error.kind() == ErrorKind::kNotFound) return;
    if (problem_) report(*problem_);
    problem_ = error;
  }

  std::vector<NamedContainer> finish() {
    if (problem_) throw Error(std::move(*problem_));
    return std::move(found_);
  }

 private:
  store::Store& store_;
  const bool ignore_missing_;
  std::set<std::string> seen_;
  std::vector<NamedContainer> found_;
  std::optional<Error> problem_;
};

}  // namespace

int attempt(const std::function<void()>& step) try {
  step();
  return 0;
} catch (const Error& error) {
  std::cout.flush();
  if (error.kind() == ErrorKind::kInterrupted) throw;  // whatever would come next is not wanted
  return report(error);
}

void add_container_arguments(CLI::App& command, ContainerArguments& arguments) {
  command.add_option("CONTAINER", arguments.selection.references, "Names, ids or prefixes of ids");
  command.add_flag("-l,--latest", arguments.selection.latest, "The container created last");
}

void add_all_flag(CLI::App& command, ContainerArguments& arguments, const std::string& names,
                  const std::string& description) {
  command.add_flag(names, arguments.selection.all, description);
}

void add_no_wait_flag(CLI::App& command) {
  command.add_flag_callback(
      "--no-wait", [] { store::set_when_locked(store::WhenLocked::kFail); },
      "Fail at once while another still process, like a checkpoint, has the container");
}

void add_ignore_flag(CLI::App& command, ContainerArguments& arguments) {
  command.add_flag("-i,--ignore", arguments.ignore_missing,
                   "Do not fail for a container that does not exist");
}

std::vector<NamedContainer> find_containers(Context& context, const ContainerArguments& arguments) {
  const engine::Selection& selection = arguments.selection;
  Finder finder(context, arguments.ignore_missing);
  if (selection.references.empty() || selection.all || selection.latest) {
    for (const std::string& id : engine::resolve(context.store(), selection)) finder.find(id);
  } else {
    for (const std::string& word : selection.references) finder.find(word);
  }
  return finder.finish();
}

int for_each_container(Context& context, const ContainerArguments& arguments,
                       const std::function<void(const std::string& id)>& action) {
  int code = 0;
  for (const NamedContainer& container : find_containers(context, arguments)) {
    const int result = attempt([&] {
      action(container.id);
      std::cout << container.label << std::endl;
    });
    if (result != 0) code = result;
  }
  return code;
}

int for_each_name(const std::vector<std::string>& names,
                  const std::function<void(const std::string& name)>& action) {
  int code = 0;
  for (const std::string& name : names) {
    if (const int result = attempt([&] { action(name); }); result != 0) code = result;
  }
  return code;
}

std::string take_container(Context& context, bool latest, std::vector<std::string>& words) {
  if (latest) return engine::resolve(context.store(), {{}, false, true}).front();
  if (words.empty()) {
    throw Error(ErrorKind::kUsage, "no container named", "give a name or id, or --latest");
  }
  const std::string word = words.front();
  words.erase(words.begin());
  return context.store().find_container(word).id;
}

}  // namespace still::cli
