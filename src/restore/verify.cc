#include "restore/verify.h"

#include "base/error.h"
#include "base/text.h"
#include "restore/archive_checks.h"

namespace still::restore {

VerifiedArchive verify_archive(const std::filesystem::path& archive,
                               const subject::DumpReader& dumps, const std::string& identity,
                               cut::Observer& observer) {
  const cut::StepScope step(observer, cut::Step::kVerify);
  ArchiveChecks checks(dumps);
  archive::ArchiveContents contents =
      archive::read_archive(archive, checks, read_options(identity, cut::Step::kVerify, observer));
  try {
    checks.finish();
    return {checks.identity(), checks.demands(), std::move(contents)};
  } catch (const Error& error) {
    throw error.in(printable(archive.native()));
  }
}

}  // namespace still::restore
