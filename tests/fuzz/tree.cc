// The stream of a tree: what is checked before it is unpacked is what can be unpacked, and nothing
// leaves the directory.
#include <fcntl.h>

#include <optional>

#include "archive/reader.h"
#include "archive/tree_tar.h"
#include "fuzz.h"

namespace {

using namespace still;

std::optional<ErrorKind> kind_of(const std::function<void()>& action) {
  try {
    action();
    return std::nullopt;
  } catch (const Error& error) {
    return error.kind();
  }
}

}  // namespace

void still::fuzz::run(std::string_view input) {
  const TempDir place = make_directory_in_memory();
  const auto inside = place.path() / "inside";
  make_directory(inside, 0700);
  write_file(place.path() / "victim", "unharmed");
  const Fd root = open_file(inside, O_RDONLY | O_DIRECTORY);
  const archive::ExtractOptions options{.into_empty = true};

  const InputFile checked(input);
  const auto refused =
      kind_of([&] { archive::check_tree_tar(archive::file_source(checked.fd()), options); });
  const InputFile unpacked(input);
  const auto failed = kind_of(
      [&] { archive::extract_tree_tar(archive::file_source(unpacked.fd()), root, options); });

  require(read_file(place.path() / "victim") == "unharmed", "the victim is unharmed");
  for (const auto& entry : std::filesystem::directory_iterator(place.path())) {
    const auto name = entry.path().filename();
    require(name == "inside" || name == "victim", "nothing else was made beside the directory");
  }
  // A file system may lack what a stream asks for; it never takes what the check refuses.
  require(!refused || failed, "what is refused is not unpacked");
  require(refused || failed != ErrorKind::kCorrupt, "what is not refused is not corrupt");
}
