// still archive verify
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/archive_flags.h"
#include "cli/flags/selection.h"
#include "cli/output/output.h"
#include "cli/output/progress.h"
#include "restore/verify.h"
#include "sources/still/dump_reader.h"

namespace still::cli {
namespace {

struct VerifyFlags {
  std::vector<std::string> files;
  std::string identity;
  std::optional<std::string> format;
};

// Podman's archives say nothing about consistency, and have no digests.
Json description(const std::string& file, const restore::VerifiedArchive& archive) {
  Json json;
  json["File"] = file;
  json["ContainerID"] = archive.container.id;
  json["ContainerName"] = archive.container.name;
  json["Members"] = archive.contents.members;
  json["Size"] = archive.contents.size_bytes;
  json["Demands"] = archive.demands;
  json["Digests"] = archive.contents.manifest.has_value();
  json["Consistent"] = nullptr;
  json["Reason"] = "the archive has no manifest that says so";
  if (archive.contents.manifest) {
    json["Consistent"] = archive.contents.manifest->consistent;
    json["Reason"] = archive.contents.manifest->inconsistent_because;
  }
  return json;
}

std::string certificate(const restore::VerifiedArchive& archive) {
  if (!archive.contents.manifest) return "has no manifest: no digests, consistency unknown";
  if (archive.contents.manifest->consistent) return "certified consistent";
  return "NOT certified consistent: " + printable(archive.contents.manifest->inconsistent_because);
}

void print_verified(const std::string& file, const restore::VerifiedArchive& archive) {
  std::cout << printable(file) << ": whole, " << archive.contents.members << " members, "
            << human_size(archive.contents.size_bytes) << ", container "
            << printable(archive.container.name) << ", " << certificate(archive);
  if (!archive.demands.empty()) {
    std::cout << "; asks for " << printable(join(archive.demands, ", "));
  }
  std::cout << "\n";
}

int run_verify(const VerifyFlags& flags) {
  return for_each_name(flags.files, [&](const std::string& file) {
    const restore::VerifiedArchive archive = [&] {
      ProgressLine progress;
      return restore::verify_archive(file, sources::StillDumpReader(), flags.identity, progress);
    }();
    if (flags.format) {
      std::cout << format_object(description(file, archive), *flags.format);
    } else {
      print_verified(file, archive);
    }
  });
}

}  // namespace

void register_archive_verify(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App& command =
      add_command(parent, {"verify",
                           "Check archives without unpacking them",
                           "[flags] FILE...",
                           {"still archive verify web.tar.zst",
                            "still archive verify --identity key.txt web.tar.zst.age",
                            "still archive verify --format '{{.Consistent}}' web.tar.zst"}});
  command.add_option("FILE", flags->files, "Archives")->required();
  add_identity_flag(command, flags->identity);
  add_value(command, "-f,--format", flags->format, "Print as JSON or by a Go template",
            "json|TEMPLATE");
  on_run(command, context, [flags] { return run_verify(*flags); });
}

}  // namespace still::cli
