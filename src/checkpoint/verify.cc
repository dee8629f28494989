#include "checkpoint/verify.h"

#include "base/error.h"
#include "base/text.h"
#include "checkpoint/archive_checks.h"

namespace still::checkpoint {

VerifiedArchive verify_archive(const std::filesystem::path& archive, const std::string& identity,
                               Observer& observer) {
  const StepScope step(observer, Step::kVerify);
  ArchiveChecks checks;
  archive::ArchiveContents contents =
      archive::read_archive(archive, checks, read_options(identity, Step::kVerify, observer));
  try {
    checks.finish();
  } catch (const Error& error) {
    throw error.in(printable(archive.native()));
  }
  return {parse_config_identity(checks.config_dump()), std::move(contents)};
}

}  // namespace still::checkpoint
