// SHA-256 of a stream of bytes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace still::archive {

class Sha256 {
 public:
  Sha256();
  void update(std::string_view data);
  // Lower-case hexadecimal digits. The object is used up.
  std::string finish();

 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

}  // namespace still::archive
