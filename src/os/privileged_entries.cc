#include "os/privileged_entries.h"

#include <algorithm>
#include <ranges>

namespace still {

bool is_privileged_node(mode_t mode, dev_t device) {
  return S_ISBLK(mode) || (S_ISCHR(mode) && device != kWhiteoutDevice);
}

bool has_trusted_xattrs(const Xattrs& xattrs) {
  return std::ranges::any_of(std::views::keys(xattrs), [](const std::string& name) {
    return name.starts_with(kTrustedXattrPrefix);
  });
}

}  // namespace still
