#include "sources/still/interrupted.h"

#include "engine/container/container.h"
#include "engine/container/volumes.h"

namespace still::sources {

using engine::Container;

std::vector<std::string> remove_made_by(const journal::Host& host, const std::string& operation) {
  std::vector<std::string> removed;
  for (const store::ContainerRecord& container : host.store.containers()) {
    if (container.made_by != operation) continue;
    Container::end_interrupted_restore(host, container.id, Container::Afterwards::kGone);
    removed.push_back("the container " + container.name);
  }
  for (const store::VolumeRecord& volume : host.store.volumes()) {
    if (volume.made_by != operation) continue;
    engine::Volumes(host).remove(volume.name, true);
    removed.push_back("the volume " + volume.name);
  }
  return removed;
}

void end_restored(const journal::Host& host, const std::string& container_id) {
  Container::end_interrupted_restore(host, container_id, Container::Afterwards::kExited);
}

}  // namespace still::sources
