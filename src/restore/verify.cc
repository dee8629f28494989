#include "restore/verify.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "base/text.h"
#include "restore/archive_checks.h"
#include "restore/demands.h"

namespace still::restore {
namespace {

std::vector<std::string> demands(const ArchiveChecks& checks) {
  if (!checks.identity().is_ours) return {};
  const engine::ContainerConfig config = checks.container().config;
  auto result = demands_of(config);
  std::ranges::move(demands_of(checks.privileges(), config), std::back_inserter(result));
  return result;
}

}  // namespace

VerifiedArchive verify_archive(const std::filesystem::path& archive, const std::string& identity,
                               cut::Observer& observer) {
  const cut::StepScope step(observer, cut::Step::kVerify);
  ArchiveChecks checks;
  archive::ArchiveContents contents =
      archive::read_archive(archive, checks, read_options(identity, cut::Step::kVerify, observer));
  try {
    checks.finish();
    return {checks.identity(), demands(checks), std::move(contents)};
  } catch (const Error& error) {
    throw error.in(printable(archive.native()));
  }
}

}  // namespace still::restore
