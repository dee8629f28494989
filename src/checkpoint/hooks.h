// Seams for tests that must see a guarantee fail when it is switched off. The program links
// hooks.cc, where nothing can be switched off; the test program links tests/hooks/ instead.
#pragma once

namespace still::checkpoint::hooks {

// Take a live checkpoint without freezing and still call it consistent.
bool freeze_is_off();

}  // namespace still::checkpoint::hooks
