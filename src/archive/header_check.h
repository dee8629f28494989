// A second look at raw tar headers, for what libarchive does not tell.
#pragma once

#include <string_view>

namespace still::archive {

// headers: the blocks of one member before its content, as they are in the stream. Throws
// Error(kCorrupt) if an extended header gives a name or any other text with a NUL in it: libarchive
// and the kernel would see a shorter name than other readers.
void refuse_nul_in_headers(std::string_view headers);

}  // namespace still::archive
