#include "archive/sha256.h"

#include <openssl/evp.h>

#include "base/error.h"
#include "base/text.h"

namespace still::archive {
namespace {

void check(int result) {
  if (result != 1) throw Error(ErrorKind::kInternal, "OpenSSL cannot compute SHA-256");
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
  check(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

void Sha256::update(std::string_view data) {
  check(EVP_DigestUpdate(context_.get(), data.data(), data.size()));
}

std::string Sha256::finish() {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  check(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()), &size));
  return hex(std::string_view(digest).substr(0, size));
}

}  // namespace still::archive
