#include "contents/inspection.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "contents/images.h"

namespace still::contents {
namespace {

using nlohmann::json;

class Inspector : public archive::MemberSink {
 public:
  explicit Inspector(const subject::DumpReader& dumps) : checks_(dumps) {}

  void directory(const std::string& name) override { checks_.directory(name); }
  void link(const std::string& name, const std::string& target) override {
    checks_.link(name, target);
  }

  void file(const std::string& name, uint64_t size_bytes, const archive::Source& content) override {
    const std::string image = image_of(name);
    if (criu::ProcessView::is_pages(image)) {
      checks_.file(name, size_bytes, content);
      return archive::for_each_block(content, view_.pages(image));
    }
    if (!criu::ProcessView::wants(image)) return checks_.file(name, size_bytes, content);
    kept_.add(size_bytes);
    std::string text;
    const archive::Source kept = [&](char* buffer, size_t size) {
      const size_t got = content(buffer, size);
      text.append(buffer, got);
      return got;
    };
    checks_.file(name, size_bytes, kept);
    archive::for_each_block(kept, [](std::string_view) {});  // what the checks have left
    view_.add(image, text);
  }

  const restore::ArchiveChecks& checks() const { return checks_; }
  const criu::ProcessView& view() const { return view_; }

 private:
  restore::ArchiveChecks checks_;
  criu::ProcessView view_;
  KeptImages kept_;
};

std::string text_at(const json& object, const char* key) {
  const auto value = object.find(key);
  return value != object.end() && value->is_string() ? value->get<std::string>() : "";
}

// The elements of an array; nothing of what is none.
const json& array_at(const json& object, const char* pointer) {
  static const json kNone = json::array();
  const json::json_pointer place(pointer);
  return object.contains(place) && object.at(place).is_array() ? object.at(place) : kNone;
}

std::string number_at(const json& object, const char* key) {
  const auto value = object.find(key);
  return value != object.end() && value->is_number_integer() ? value->dump() : "?";
}

void read_spec(const std::string& text, Inspection& inspection) {
  const json spec = json::parse(text);
  inspection.hostname = text_at(spec, "hostname");
  for (const json& mount : array_at(spec, "/mounts")) {
    if (!mount.is_object() || text_at(mount, "type") != "bind") continue;
    inspection.bind_mounts.push_back(text_at(mount, "source") + ":" +
                                     text_at(mount, "destination"));
  }
  for (const json& device : array_at(spec, "/linux/devices")) {
    if (!device.is_object()) continue;
    inspection.devices.push_back(formatted("{} ({} {}:{})", text_at(device, "path"),
                                           text_at(device, "type"), number_at(device, "major"),
                                           number_at(device, "minor")));
  }
  inspection.host_network = true;
  for (const json& name_space : array_at(spec, "/linux/namespaces")) {
    const bool is_network = name_space.is_object() && text_at(name_space, "type") == "network";
    inspection.host_network = inspection.host_network && !is_network;
  }
}

// Keys of libpod, which other engines need not have.
void read_config(const std::string& text, Inspection& inspection) {
  const json config = json::parse(text);
  if (inspection.image.empty()) inspection.image = text_at(config, "rootfsImageName");
  if (inspection.runtime.empty()) inspection.runtime = text_at(config, "runtime");
  for (const json& port : array_at(config, "/newPortMappings")) {
    if (!port.is_object()) continue;
    const std::string address = text_at(port, "host_ip");
    inspection.ports.push_back(
        formatted("{}{}{}:{}/{}", address, address.empty() ? "" : ":", number_at(port, "host_port"),
                  number_at(port, "container_port"), text_at(port, "protocol")));
  }
}

}  // namespace

Inspection inspect_archive(const std::filesystem::path& archive, const subject::DumpReader& dumps,
                           const archive::ReadOptions& options) {
  Inspector inspector(dumps);
  Inspection inspection{.archive = archive::read_archive(archive, inspector, options)};
  try {
    const restore::ArchiveChecks& checks = inspector.checks();
    checks.finish();
    inspection.container = checks.identity();
    if (const auto& manifest = inspection.archive.manifest) {
      inspection.image = manifest->image;
      inspection.runtime = manifest->runtime;
    }
    read_config(checks.config_dump(), inspection);
    read_spec(checks.spec_dump(), inspection);
    inspection.demands = checks.demands();
    inspection.trees = checks.totals();
    inspection.removed_paths = checks.removed_paths();
    inspection.seen = inspector.view().result();
  } catch (const json::exception& error) {
    throw Error(ErrorKind::kCorrupt, "its configuration is damaged: " + printable(error.what()))
        .in(printable(archive.native()));
  } catch (const Error& error) {
    throw error.in(printable(archive.native()));
  }
  return inspection;
}

}  // namespace still::contents
