#include "engine/container/selection.h"

#include <algorithm>

#include "base/error.h"

namespace still::engine {
namespace {

std::vector<std::string> all_ids(const std::vector<store::ContainerRecord>& records) {
  std::vector<std::string> ids;
  for (const auto& record : records) ids.push_back(record.id);
  return ids;
}

std::string latest_id(const std::vector<store::ContainerRecord>& records) {
  if (records.empty()) throw Error(ErrorKind::kNotFound, "there are no containers");
  return records.back().id;
}

}  // namespace

std::vector<std::string> resolve(store::Store& store, const Selection& selection) {
  const int ways = (selection.references.empty() ? 0 : 1) + selection.all + selection.latest;
  if (ways == 0) {
    throw Error(ErrorKind::kUsage, "no container was named", "name one, or use --all or --latest");
  }
  if (ways > 1) {
    throw Error(ErrorKind::kUsage, "containers were named in more than one way",
                "give either names, or --all, or --latest");
  }
  if (selection.all) return all_ids(store.containers());
  if (selection.latest) return {latest_id(store.containers())};
  std::vector<std::string> ids;
  for (const std::string& reference : selection.references) {
    std::string id = store.find_container(reference).id;
    if (!std::ranges::contains(ids, id)) ids.push_back(std::move(id));
  }
  return ids;
}

}  // namespace still::engine
