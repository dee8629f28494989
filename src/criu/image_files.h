// The files in a directory of CRIU images: every kind that CRIU 4.1.1 knows, with what Still makes
// of it. Their messages, field by field: docs/criu-images.md.
#pragma once

#include <span>
#include <string_view>

namespace still::criu {

enum class ImageUse {
  kChecked,  // its fields are looked at (ImagePrivileges)
  kHead,     // those of its first message are; what follows is the content of a file, of any size
  kTmpfs,    // the content of a tmpfs, packed: looked at as other trees are
  kInside,   // nothing in it reaches beyond the container
  kNetwork,  // sets up a network: removed before a restore (criu/network.h)
  kRefused,  // no archive needs it
};

struct ImageFileKind {
  // CRIU's own, as for printf(3): "core-%u.img".
  std::string_view pattern;
  ImageUse use;
  std::string_view reason{};  // for kRefused: a phrase for the user
};

std::span<const ImageFileKind> image_file_kinds();

// What the name is an instance of. Throws Error(kCorrupt) for one that CRIU has no use for, and for
// one that is refused.
const ImageFileKind& image_file_kind(std::string_view file);

// The number (or hexadecimal number) in the name of an instance of the pattern: "7" of
// "core-7.img". Empty if the name is none.
std::string_view number_in(std::string_view file, std::string_view pattern);

}  // namespace still::criu
