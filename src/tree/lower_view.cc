#include "tree/lower_view.h"

#include <sys/stat.h>

#include <numeric>
#include <set>
#include <utility>

#include "base/error.h"
#include "os/beneath.h"
#include "os/files.h"
#include "os/metadata.h"
#include "os/walk.h"

namespace still::tree {
namespace {

constexpr const char* kOpaque = "trusted.overlay.opaque";

}  // namespace

bool is_opaque(const Fd& directory) { return read_xattr(directory, kOpaque) == "y"; }

LowerView::LowerView(const std::vector<Fd>& layers) : layers_(layers) {
  places_.push_back({{}, std::vector<size_t>(layers.size())});
  std::iota(places_[0].layers.begin(), places_[0].layers.end(), size_t{0});
  open_current();
}

LowerView::Kind LowerView::kind_of(const std::string& name) const {
  for (const Fd& directory : directories_) {
    const auto status = stat_at(directory, name);
    if (!status) continue;
    if (is_whiteout(*status)) return Kind::kAbsent;
    return S_ISDIR(status->st_mode) ? Kind::kDirectory : Kind::kOther;
  }
  return Kind::kAbsent;
}

std::vector<std::string> LowerView::names() const {
  std::set<std::string> shown;
  for (const Fd& directory : directories_) {
    for (std::string& name : list_names(directory)) {
      if (kind_of(name) != Kind::kAbsent) shown.insert(std::move(name));
    }
  }
  return {shown.begin(), shown.end()};
}

std::vector<size_t> LowerView::layers_below(const std::string& name) const {
  std::vector<size_t> merged;
  for (size_t i = 0; i < directories_.size(); ++i) {
    const auto status = stat_at(directories_[i], name);
    if (!status) continue;
    if (!S_ISDIR(status->st_mode)) break;
    merged.push_back(places_.back().layers[i]);
    const auto directory = open_entry(directories_[i], name);
    if (directory && is_opaque(*directory)) break;
  }
  return merged;
}

void LowerView::enter(const std::string& name) {
  const std::string& here = places_.back().path;
  std::string path = here.empty() ? name : here + "/" + name;
  places_.push_back({std::move(path), layers_below(name)});
  open_current();
}

void LowerView::leave() {
  places_.pop_back();
  open_current();
}

void LowerView::open_current() {
  directories_.clear();
  const Place& place = places_.back();
  for (const size_t layer : place.layers) {
    auto directory = open_directory_beneath(layers_[layer], place.path);
    if (!directory) throw Error(ErrorKind::kConflict, "a layer changed while it was read");
    directories_.push_back(std::move(*directory));
  }
}

}  // namespace still::tree
