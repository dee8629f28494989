// Steps as types: what a room needs to add a kind of its own. The type is a struct with a kKind,
// unlike all others, a kLasts, and JSON in which a key may be missing
// (NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT; none for a struct without members). It stays in
// the .cc file, together with its undo: what others see is a function that makes the step, and
// register_undo().
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "journal/entry.h"
#include "journal/undoers.h"

namespace still {
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ProcessIdentity, pid, start_time)
}

namespace still::journal {

// container_id: empty for the entry's.
template <typename T>
Step make_step(const T& data, std::string container_id = {}) {
  std::string json = "{}";
  if constexpr (!std::is_empty_v<T>) json = nlohmann::json(data).dump();
  return {.kind = T::kKind, .data = std::move(json), .container_id = std::move(container_id)};
}

// Of a step of that kind. Throws Error(kCorrupt).
template <typename T>
T read_step(const Step& step) {
  if constexpr (std::is_empty_v<T>) {
    return {};
  } else {
    try {
      return nlohmann::json::parse(step.data).get<T>();
    } catch (const nlohmann::json::exception&) {
      throw Error(ErrorKind::kCorrupt, "its step \"" + step.kind + "\" cannot be read");
    }
  }
}

// undo: std::optional<std::string> (const T&, const Interrupted&), as Undoers::Undo.
template <typename T, typename Undo>
void add_undo(Undoers& undoers, Undo undo) {
  undoers.add(T::kKind, T::kLasts, [undo](const Step& step) -> Undoers::Undo {
    return [undo, data = read_step<T>(step)](const Interrupted& interrupted) {
      return undo(data, interrupted);
    };
  });
}

}  // namespace still::journal
