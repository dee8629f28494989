// still images, still image ls
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/app.h"
#include "cli/output/human.h"
#include "cli/output/output.h"

namespace still::cli {
namespace {

struct ImagesOptions {
  std::string name;
  bool all = false;
  bool quiet = false;
  bool full = false;
  ListOptions list;
};

constexpr size_t kShortId = 12;

Json image_json(const store::ImageRecord& image) {
  Json json;
  json["Id"] = image.id;
  json["ParentId"] = "";
  json["RepoTags"] = image.names;
  json["Size"] = image.size_bytes;
  json["VirtualSize"] = image.size_bytes;
  json["Names"] = image.names;
  json["Created"] = unix_seconds(image.created_at);
  json["CreatedAt"] = go_time(image.created_at);
  return json;
}

// "localhost:5000/redis:7" is repository "localhost:5000/redis" and tag "7".
std::pair<std::string, std::string> repository_and_tag(const std::string& name) {
  if (name.empty()) return {"<none>", "<none>"};
  const size_t colon = name.find(':', name.rfind('/') + 1);
  if (colon == std::string::npos) return {name, "latest"};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

Json image_fields(const store::ImageRecord& image, const std::string& name, bool full) {
  const auto [repository, tag] = repository_and_tag(name);
  Json fields = image_json(image);
  fields["ID"] = full ? "sha256:" + image.id : image.id.substr(0, kShortId);
  fields["Repository"] = repository;
  fields["Tag"] = tag;
  fields["Size"] = decimal_size(image.size_bytes);
  fields["CreatedSince"] = human_age(since(image.created_at)) + " ago";
  fields["Created"] = fields["CreatedSince"];
  return fields;
}

ListFormat images_format(bool full) {
  return {"table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
          {{"ID", "IMAGE ID"}, {"CreatedSince", "CREATED"}},
          image_fields({}, "", full)};
}

std::vector<store::ImageRecord> images_to_list(Context& context, const std::string& name) {
  if (!name.empty()) return {context.store().find_image(name)};
  return context.store().images();
}

// In JSON an image is one entry; in a table it has a line for each of its names.
std::vector<ListEntry> entries_of(const std::vector<store::ImageRecord>& images,
                                  const ImagesOptions& options) {
  const bool by_image = options.quiet || options.list.format == "json";
  std::vector<ListEntry> entries;
  for (const auto& image : images) {
    auto names = image.names;
    if (names.empty()) names.emplace_back();
    if (by_image) names.resize(1);
    for (const std::string& name : names) {
      entries.push_back({image_json(image), image_fields(image, name, options.full)});
    }
  }
  return entries;
}

int run_images(Context& context, ImagesOptions options) {
  if (options.quiet) options.list.format = "{{.ID}}";
  const auto entries = entries_of(images_to_list(context, options.name), options);
  std::cout << format_list(entries, images_format(options.full), options.list);
  return 0;
}

}  // namespace

CLI::App* register_image_list(CLI::App& parent, Context& context, const std::string& name) {
  auto options = std::make_shared<ImagesOptions>();
  CLI::App& command = add_command(
      parent,
      {name, "List images", "[flags] [IMAGE]", {"still images", "still images --format json"}});
  command.add_option("IMAGE", options->name, "Only this one");
  command.add_flag("-a,--all", options->all, "For Podman's sake: there are no hidden images");
  command.add_flag("-q,--quiet", options->quiet, "Print ids only");
  command.add_flag("--no-trunc", options->full, "Print whole ids");
  command.add_flag("-n,--noheading", options->list.no_heading, "Print no line of headers");
  add_value(command, "--format", options->list.format, "Print as JSON or by a Go template",
            "json|TEMPLATE");
  on_run(command, context, [&context, options] { return run_images(context, *options); });
  return &command;
}

}  // namespace still::cli
