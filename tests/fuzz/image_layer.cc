// A layer of an image, unpacked.
#include "engine/image/layers.h"
#include "fuzz.h"

void still::fuzz::run(std::string_view input) {
  static const TempDir place = make_directory_in_memory();
  const store::Layout layout{.root = place.path(), .runroot = place.path() / "run"};
  std::filesystem::create_directories(layout.layers());
  const InputFile file(input);
  const auto layer = engine::unpack_layer(layout, file.fd(), std::nullopt, {});
  remove_tree(layout.layer(layer.diff_id));
}
