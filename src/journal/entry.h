// An operation that is going on, as the store's journal has it: with all that it would leave if its
// process died.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "os/process.h"
#include "store/store.h"

namespace still::journal {

// One thing that would be left. What a kind means, and how it is undone, only the room knows that
// writes it (journal/typed_step.h).
struct Step {
  std::string kind;
  std::string data;          // a JSON object
  std::string container_id;  // empty: the container of the entry
};

struct Entry {
  std::string key;        // unique, of characters that can be in file names
  std::string operation;  // for messages: "checkpoint", "restore"
  std::string container_id;
  std::string container_name;
  std::string boot_id;
  ProcessIdentity owner;
  ProcessIdentity guardian;  // as long as it lives, it looks after the rest
  ProcessIdentity runtime;   // leads the process group of the OCI runtime and CRIU
  ProcessIdentity init;      // of the container, that the runtime works on
  std::vector<Step> steps;   // undone in reverse order

  void add(Step step) { steps.push_back(std::move(step)); }
  // All of a kind.
  void remove(std::string_view kind);
};

// Oldest first. Entries of earlier versions are read like those of this one. Errors as the store's,
// and Error(kCorrupt).
std::vector<Entry> read_entries(store::Store& store);
std::optional<Entry> read_entry(store::Store& store, const std::string& key);
// Adds the entry, or replaces the one of the same key; durable when it returns.
void write_entry(store::Store& store, const Entry& entry);

}  // namespace still::journal
