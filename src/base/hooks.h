// Seams for tests that must see a guarantee fail when it is switched off. The program links
// hooks.cc, where nothing can be switched off; the test program links tests/hooks/ instead.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace still::hooks {

// Take a live checkpoint without freezing and still call it consistent.
bool freeze_is_off();
// Do without a precaution of the pre-copy: tree/mirror.h says what each is for.
bool write_back_is_off();
bool racy_detection_is_off();
// Copy no memory that was written to since the last round before the freeze (memory/precopy.h).
bool last_copy_is_off();

// The steps of checkpoints and restores, by the names that tests give them.
inline constexpr auto kSteps = std::to_array<std::string_view>(
    {// before the window
     "journal read", "in the journal", "guarded", "staged", "protected", "caught up", "prepared",
     "ready",
     // in it
     "frozen", "dumping", "asked", "tried", "dumped", "cut", "held", "forked",
     // after it
     "thawed", "copied", "merged", "released", "unguarded", "kept",
     // the archive
     "writing", "complete", "encrypted", "written",
     // restores
     "unpacked", "volumes filled", "container made", "filled", "restored", "succeeded"});

// Compiles for the name of a step alone.
struct Step {
  // NOLINTNEXTLINE(google-explicit-constructor): a literal is one
  consteval Step(const char* literal) : name(literal) {
    if (!std::ranges::contains(kSteps, name)) throw "no such step";
  }
  std::string_view name;
};

// A step is done: the moment for a fault (tests/fault).
void reached(Step step);

}  // namespace still::hooks
