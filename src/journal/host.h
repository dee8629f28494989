// What every operation on containers works with.
#pragma once

#include "store/layout.h"
#include "store/store.h"

namespace still::journal {

class Undoers;

struct Host {
  store::Layout layout;
  store::Store& store;
  const Undoers& undoers;
};

}  // namespace still::journal
