// Operations that must not be left half done when their process dies: what they are about to make
// or freeze is in the journal before they do it, and any later command undoes it
// (journal/recovery.h).
#pragma once

#include <functional>
#include <string>

#include "journal/entry.h"

namespace still::journal {

// What an operation is, and on what container, as far as it is there already.
struct About {
  std::string operation;
  std::string container_id{};
  std::string container_name{};
  ProcessIdentity init{};
};

class Operation {
 public:
  using Change = std::function<void(Entry&)>;

  // Of this process. prepare: adds what is to be undone (paths with key in their names). Durable in
  // the journal when it returns.
  Operation(store::Store& store, About about, const Change& prepare);
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  // Removes the entry, unless a path that it names is still there: the next command will try
  // again. A failure is logged, the entry stays then, too.
  ~Operation();

  const std::string& key() const { return entry_.key; }
  // Changes the entry, durably.
  void update(const Change& change);

 private:
  store::Store& store_;
  Entry entry_;
};

}  // namespace still::journal
