// What an image says about running it, and what remains of that once the command line has spoken.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/container/container_config.h"

namespace still::engine {

// The part "config" of an OCI image configuration.
struct ImageConfig {
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::vector<std::string> environment;
  std::string directory;
  std::string user;
  std::string stop_signal;           // "SIGQUIT", "3", or empty
  std::vector<std::string> volumes;  // destinations
  std::vector<std::string> exposed_ports;
  std::map<std::string, std::string> labels;
};

// Throws Error(kCorrupt) naming the key for text that is no image configuration.
ImageConfig parse_image_config(std::string_view json);

// What the command line said about things that an image can say too.
struct ImageOverrides {
  // --entrypoint. An empty list or one empty word: no entry point. Given, it makes the image's
  // command void, too.
  std::optional<std::vector<std::string>> entrypoint;
  std::vector<std::string> command;  // the words after the image; empty: the image's
  std::vector<std::string> environment;
  std::optional<std::string> directory;
  std::optional<std::string> user;
  std::optional<int> stop_signal;
};

// Sets arguments, environment, directory, user and stop_signal of config, adds the image's labels
// that config does not have, and an anonymous volume (empty name) for every destination that the
// image wants one for and config mounts nothing on. With --rootfs pass an empty image.
// Throws Error(kUsage) if neither says what to run.
void apply_image_defaults(ContainerConfig& config, const ImageConfig& image,
                          const ImageOverrides& given);

// The changes that `image import --change` takes: "CMD [\"a\"]", "ENV A=b", "WORKDIR /x", "USER u",
// "ENTRYPOINT", "VOLUME", "EXPOSE", "STOPSIGNAL", "LABEL a=b". Throws Error(kUsage).
void apply_change(ImageConfig& image, const std::string& change);

// This machine's architecture as images name it: "amd64", "arm64".
std::string oci_architecture();

// A whole OCI image configuration for this machine's architecture and these layers (diff ids
// without "sha256:", bottom first). created: RFC 3339.
std::string build_image_config(const ImageConfig& config, const std::vector<std::string>& layers,
                               const std::string& created);

}  // namespace still::engine
