// Whether an archive is whole and can be believed to be what it says, without unpacking it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "archive/members.h"
#include "archive/reader.h"
#include "cut/observer.h"
#include "subject/destination.h"

namespace still::restore {

struct VerifiedArchive {
  archive::ConfigIdentity container;
  std::vector<std::string> demands;  // as dumps says; none of another engine's
  archive::ArchiveContents contents;
};

// Reads the whole archive, its trees included, and checks what a restore checks before it makes
// anything: every structure, and with a manifest every size and SHA-256. dumps: of the engine whose
// container it may be. identity: of an encrypted archive. Nothing is written anywhere. Throws
// Error: kCorrupt naming the member, kUnsupported, kUsage (the identity).
VerifiedArchive verify_archive(const std::filesystem::path& archive,
                               const subject::DumpReader& dumps, const std::string& identity,
                               cut::Observer& observer);

}  // namespace still::restore
