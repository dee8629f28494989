// still import, load, rmi and the same below "still image"; still image exists
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/app.h"
#include "cli/flags/selection.h"
#include "engine/image/images.h"

namespace still::cli {
namespace {

engine::Images images(Context& context) { return engine::Images(context.host()); }

// --- import ---

struct ImportOptions {
  std::string source;
  std::string name;
  std::vector<std::string> changes;
  bool quiet = false;
};

int run_import(Context& context, const ImportOptions& options) {
  const std::string id = images(context).import(options.source, options.name, options.changes);
  std::cout << "sha256:" << id << "\n";
  return 0;
}

// --- load ---

struct LoadOptions {
  std::string input = "-";
  bool quiet = false;
};

int run_load(Context& context, const LoadOptions& options) {
  for (const std::string& name : images(context).load(options.input)) {
    std::cout << (options.quiet ? "" : "Loaded image: ") << name << "\n";
  }
  return 0;
}

// --- rm ---

struct RemoveOptions {
  std::vector<std::string> names;
  bool all = false;
  bool force = false;
  bool ignore = false;
};

std::vector<std::string> names_to_remove(Context& context, const RemoveOptions& options) {
  if (options.all && !options.names.empty()) {
    throw Error(ErrorKind::kUsage, "no names are needed with --all");
  }
  if (!options.all && options.names.empty()) {
    throw Error(ErrorKind::kUsage, "image name or id must be specified");
  }
  if (!options.all) return options.names;
  std::vector<std::string> ids;
  for (const auto& image : context.store().images()) ids.push_back(image.id);
  return ids;
}

bool exists(Context& context, const std::string& name) try {
  context.store().find_image(name);
  return true;
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kNotFound) return false;
  throw;
}

int run_remove(Context& context, const RemoveOptions& options) {
  const bool ignore = options.ignore || options.force;
  return for_each_name(names_to_remove(context, options), [&](const std::string& name) {
    if (ignore && !exists(context, name)) return;
    images(context).remove(name);
    std::cout << name << "\n";
  });
}

}  // namespace

void register_image_import(CLI::App& parent, Context& context) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App& command = add_command(
      parent, {"import",
               "Make an image of a root file system: a tar file, a directory, or - for standard "
               "input",
               "[flags] PATH [NAME]",
               {"still import rootfs.tar.gz busybox", "still import /srv/rootfs app:1",
                "still import --change 'CMD [\"redis-server\"]' rootfs.tar redis"}});
  command.add_option("PATH", options->source, "Tar file, directory or -")->required();
  command.add_option("NAME", options->name, "Name of the image");
  add_list(command, "-c,--change", options->changes,
           "Set what the image says about running it: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, "
           "STOPSIGNAL, USER, VOLUME, WORKDIR",
           "INSTRUCTION");
  command.add_flag("-q,--quiet", options->quiet, "Print the id only (as without this flag)");
  on_run(command, context, [&context, options] { return run_import(context, *options); });
}

void register_image_load(CLI::App& parent, Context& context) {
  auto options = std::make_shared<LoadOptions>();
  CLI::App& command =
      add_command(parent, {"load",
                           "Load images from a docker-archive or an OCI layout",
                           "[flags]",
                           {"still load --input redis.tar", "podman save redis | still load"}});
  command
      .add_option("-i,--input", options->input,
                  "Archive or directory to read (default: standard input)")
      ->option_text("PATH");
  command.add_flag("-q,--quiet", options->quiet, "Print names only");
  on_run(command, context, [&context, options] { return run_load(context, *options); });
}

void register_image_rm(CLI::App& parent, Context& context, const std::string& name) {
  auto options = std::make_shared<RemoveOptions>();
  CLI::App& command = add_command(parent, {name,
                                           "Remove one or more images",
                                           "[flags] IMAGE...",
                                           {"still rmi busybox", "still rmi -a"}});
  command.add_option("IMAGE", options->names, "Names or ids");
  command.add_flag("-a,--all", options->all, "All images");
  command.add_flag("-f,--force", options->force, "A missing image is no error");
  command.add_flag("-i,--ignore", options->ignore, "A missing image is no error");
  on_run(command, context, [&context, options] { return run_remove(context, *options); });
}

void register_image_exists(CLI::App& parent, Context& context) {
  auto name = std::make_shared<std::string>();
  CLI::App& command =
      add_command(parent, {"exists",
                           "Tell by the exit code (0 or 1) if an image exists",
                           "IMAGE",
                           {"still image exists redis || still load -i redis.tar"}});
  command.add_option("IMAGE", *name, "Name or id")->required();
  on_run(command, context, [&context, name] { return exists(context, *name) ? 0 : 1; });
}

}  // namespace still::cli
