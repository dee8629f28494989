// Tar streams put together by hand, for what no writer would write.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/tree_tar.h"

namespace still::test {

struct RawMember {
  std::string name;
  char type =
      '0';  // '0' file, '1' hard link, '2' symbolic link, '3' '4' devices, '5' directory, ...
  std::string content;
  std::string link;
  unsigned mode = 0644;
  // Records of an extended header before it, written as they are.
  std::vector<std::pair<std::string, std::string>> pax;
};

// Header blocks, content and padding.
std::string raw_tar(const RawMember& member);
// Several members and the end-of-archive mark.
std::string raw_archive(const std::vector<RawMember>& members);

// A source over bytes that outlive it.
archive::Source source_of(std::string_view bytes);

}  // namespace still::test
