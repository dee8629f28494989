#include "journal/operation.h"

#include <unistd.h>

#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "journal/paths.h"
#include "os/clock.h"
#include "os/random.h"

namespace still::journal {

Operation::Operation(store::Store& store, About about, const Change& prepare) : store_(store) {
  constexpr size_t kKeyBytes = 8;
  entry_ = {.key = hex(random_bytes(kKeyBytes)),
            .operation = std::move(about.operation),
            .container_id = std::move(about.container_id),
            .container_name = std::move(about.container_name),
            .boot_id = boot_id(),
            .owner = identify_process(::getpid()),
            .guardian = {},
            .runtime = {},
            .init = about.init,
            .steps = {}};
  update(prepare);
}

Operation::~Operation() {
  try {
    if (!has_paths_left(entry_)) store_.remove_journal_entry(entry_.key);
  } catch (const Error& error) {
    warn(error.message());
  }
}

void Operation::update(const Change& change) {
  change(entry_);
  write_entry(store_, entry_);
}

}  // namespace still::journal
