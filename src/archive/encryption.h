// Archives encrypted in the age format (age-encryption.org/v1), by the age program: an archive
// holds all memory of a container, secrets included.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "archive/tree_tar.h"
#include "os/fd.h"

namespace still::archive {

// Recipients are as age takes them: "age1...", "ssh-ed25519 ...", or a file of such lines. Throws
// Error(kUsage) if age cannot encrypt to one, Error(kNotFound) if there is no age.
void check_recipients(const std::vector<std::string>& recipients);

// Encrypts from the start of a file to the end into another, empty one. Calls progress now and then
// with the bytes done; what that throws ends it. Throws Error(kSystem).
void encrypt_file(const Fd& plain, const Fd& encrypted, const std::vector<std::string>& recipients,
                  const std::function<void(uint64_t)>& progress);

// Throws Error(kNotFound) for an identity file that is not there.
void check_identity(const std::filesystem::path& identity);

// The content of a file or pipe from its start on, decrypted if it is encrypted (then it must be a
// file, else Error(kUnsupported)). The source throws Error(kUsage) if no identity is given or none
// fits, Error(kCorrupt) if the file was changed or cut off: what it gave before that is as it was
// encrypted, but not all of it.
Source decrypting_source(const Fd& file, const std::filesystem::path& identity);

}  // namespace still::archive
