// libFuzzer's entry, for every target.
#include <cstdint>

#include "base/error.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    still::fuzz::run({reinterpret_cast<const char*>(data), size});
  } catch (const still::Error&) {
  }
  return 0;
}
