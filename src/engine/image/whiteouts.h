// Whiteouts of image layers.
#pragma once

#include "os/fd.h"

namespace still::engine {

// Below root OCI's become overlayfs'.
// ".wh.NAME" becomes a character device 0/0, ".wh..wh..opq" the mark of an opaque directory.
void convert_whiteouts(const Fd& root);

}  // namespace still::engine
