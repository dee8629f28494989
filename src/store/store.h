// The state of all containers, volumes and images of one root directory, in SQLite. Safe for
// several processes at once: every call is one transaction, durable when it returns.
// Every function throws Error(kSystem) for a database that cannot be read or written and
// Error(kCorrupt) for one of an unknown version.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/records.h"

namespace still::store {

class Store {
 public:
  // Opens ROOT/still.db and closes it to others (0600); makes it if it is missing (root does).
  explicit Store(const std::filesystem::path& root);
  ~Store();

  // Throws Error(kConflict) naming the holder if the name or id is taken.
  void add_container(const ContainerRecord& container);
  // All fields but id. Error(kNotFound) if it is gone; Error(kConflict) if a new name is taken.
  void update_container(const ContainerRecord& container);
  void remove_container(const std::string& id);
  // reference: full name, full id or a prefix of an id that fits just one container.
  // Error(kNotFound), Error(kUsage) if the prefix is ambiguous.
  ContainerRecord find_container(const std::string& reference);
  std::optional<ContainerRecord> container_by_name(const std::string& name);
  // Oldest first.
  std::vector<ContainerRecord> containers();

  void add_volume(const VolumeRecord& volume);  // Error(kConflict) if the name is taken
  void remove_volume(const std::string& name);
  std::optional<VolumeRecord> volume(const std::string& name);
  std::vector<VolumeRecord> volumes();  // by name

  // Adds an image, or adds its names and moves names that another image had.
  void put_image(const ImageRecord& image);
  // Forgets one name; the image stays, even without any.
  void remove_image_name(const std::string& name);
  // With all its names. Error(kConflict) naming a container that uses it.
  void remove_image(const std::string& id);
  // reference: a name (without a tag: ":latest"; without a registry: "localhost/" and "docker.io/"
  // are tried too), a full id or a unique prefix of one. Error(kNotFound), Error(kUsage).
  ImageRecord find_image(const std::string& reference);
  std::vector<ImageRecord> images();

  // The journal of operations that are going on (journal/entry.h). Adds an entry, or replaces the
  // one of the same key.
  void put_journal_entry(const std::string& key, const std::string& json);
  void remove_journal_entry(const std::string& key);
  std::vector<std::string> journal();  // oldest first
  std::optional<std::string> journal_entry(const std::string& key);

  // Keeps the newest 200.
  void add_measurement(const Measurement& measurement);
  std::vector<Measurement> measurements();  // newest first

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace still::store
