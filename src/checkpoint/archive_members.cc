#include "checkpoint/archive_members.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "oci/runtime.h"
#include "os/clock.h"
#include "os/files.h"

namespace still::checkpoint {
namespace {

using nlohmann::json;

json named_volumes(const engine::ContainerConfig& config) {
  json volumes = json::array();
  for (const engine::VolumeMount& volume : config.volumes) {
    volumes.push_back({{"volumeName", volume.volume},
                       {"dest", volume.destination},
                       {"options", {volume.read_only ? "ro" : "rw"}}});
  }
  return volumes;
}

// The length of the well-formed UTF-8 sequence at the start of text; 0 if there is none. Overlong
// forms and surrogates are not well-formed (Unicode 15, table 3-7).
size_t utf8_length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool malformed = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
                         (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
  return malformed ? 0 : length;
}

// U+F780..U+F7FF in UTF-8: EF 9E 80..BF and EF 9F 80..BF.
constexpr char kEscapeLead = '\xef';

bool is_escape(std::string_view sequence) {
  return sequence.size() == 3 && sequence[0] == kEscapeLead &&
         (sequence[1] == '\x9e' || sequence[1] == '\x9f');
}

std::string escape(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return {kEscapeLead, byte < 0xc0 ? '\x9e' : '\x9f', static_cast<char>(0x80 | (byte & 0x3f))};
}

char unescape(std::string_view sequence) {
  const int high = sequence[1] == '\x9e' ? 0x80 : 0xc0;
  return static_cast<char>(high | (static_cast<unsigned char>(sequence[2]) & 0x3f));
}

// Characters of the escape range that a name really has are escaped byte by byte, too: every name
// comes back as it was.
std::string encode_bytes(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const size_t length = utf8_length(bytes);
    if (length == 0 || is_escape(bytes.substr(0, length))) {
      text += escape(bytes[0]);
      bytes.remove_prefix(1);
    } else {
      text += bytes.substr(0, length);
      bytes.remove_prefix(length);
    }
  }
  return text;
}

std::string decode_bytes(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const size_t length = std::max<size_t>(utf8_length(text), 1);
    const std::string_view sequence = text.substr(0, length);
    if (is_escape(sequence)) {
      bytes += unescape(sequence);
    } else {
      bytes += sequence;
    }
    text.remove_prefix(length);
  }
  return bytes;
}

Error damaged(const char* member, const json::exception& error) {
  return {ErrorKind::kCorrupt, std::string(member) + " is damaged: " + printable(error.what())};
}

}  // namespace

std::string volume_member(const std::string& volume) { return kVolumesPrefix + volume + ".tar"; }

std::string write_config_dump(const engine::Container& container) {
  const engine::ContainerConfig& config = container.config();
  const json dump = {
      {"id", container.id()},
      {"name", container.name()},
      {"rootfsImageID", config.image_id},
      {"rootfsImageName", config.image},
      {"rootfs", config.rootfs},
      {"namedVolumes", named_volumes(config)},
      {"runtime", config.runtime},
      {"createdTime", rfc3339(container.record().created_at)},
      {"noCgroups", !config.cgroups},
      {"logPath", container.paths().log()},
      {"logDriver", config.log_driver},
      {"ShmDir", container.paths().shm()},
      {"still", json::parse(engine::to_json(config))},
  };
  return dump.dump(2, ' ', false, json::error_handler_t::replace);
}

ConfigIdentity parse_config_identity(std::string_view text) try {
  const json dump = json::parse(text);
  return {dump.at("id"), dump.at("name"), dump.contains("still")};
} catch (const json::exception& error) {
  throw damaged(kConfigMember, error);
}

ArchivedContainer parse_config_dump(std::string_view text) try {
  const json dump = json::parse(text);
  if (!dump.contains("still")) {
    throw Error(ErrorKind::kUnsupported, "the archive was not written by Still",
                "restore it with the engine that wrote it");
  }
  return {dump.at("id"), dump.at("name"), engine::parse_container_config(dump.at("still").dump())};
} catch (const json::exception& error) {
  throw damaged(kConfigMember, error);
}

std::string write_spec_dump(const engine::Container& container) {
  json spec = json::parse(read_file(container.paths().bundle() / "config.json"));
  spec["annotations"].erase(oci::kCriuConfigurationAnnotation);  // a path of this machine
  spec["annotations"]["io.container.manager"] = "libpod";
  return spec.dump(2, ' ', false, json::error_handler_t::replace);
}

void check_spec_dump(std::string_view text) try {
  if (json::parse(text).is_object()) return;
  throw Error(ErrorKind::kCorrupt, std::string(kSpecMember) + " is no JSON object");
} catch (const json::exception& error) {
  throw damaged(kSpecMember, error);
}

std::string write_deleted_files(const std::vector<std::string>& paths) {
  json list = json::array();
  for (const std::string& path : paths) list.push_back(encode_bytes(path));
  return list.dump();
}

std::vector<std::string> parse_deleted_files(std::string_view text) try {
  std::vector<std::string> paths;
  for (const std::string& path : json::parse(text).get<std::vector<std::string>>()) {
    paths.push_back(decode_bytes(path));
  }
  return paths;
} catch (const json::exception& error) {
  throw damaged(kDeletedMember, error);
}

}  // namespace still::checkpoint
