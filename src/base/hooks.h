// Seams for tests that must see a guarantee fail when it is switched off. The program links
// hooks.cc, where nothing can be switched off; the test program links tests/hooks/ instead.
#pragma once

namespace still::hooks {

// Take a live checkpoint without freezing and still call it consistent.
bool freeze_is_off();
// Do without a precaution of the pre-copy: tree/mirror.h says what each is for.
bool write_back_is_off();
bool racy_detection_is_off();

// A step of a checkpoint or restore is done: the moment for a fault (tests/fault).
void reached(const char* step);

}  // namespace still::hooks
