// From a cut to an archive.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "archive/manifest.h"
#include "checkpoint/plan.h"
#include "cut/cancellation.h"
#include "cut/observer.h"
#include "cut/trees.h"
#include "store/layout.h"
#include "subject/fit_images.h"
#include "subject/subject.h"

namespace still::checkpoint {

// Where the parts of a cut lie. Gathered while the container is locked; afterwards nothing of the
// container itself is read any more but its log.
struct ArchiveSources {
  std::filesystem::path images;                    // CRIU's
  subject::Portability portability{};              // what the archive has them say
  std::filesystem::path work;                      // CRIU's log and statistics
  std::map<std::string, cut::CapturedTree> trees;  // by member
  std::vector<std::string> engine_paths{};         // as of the subject
  std::string config_dump;
  std::string spec_dump;
  std::string network_status{};  // as of the subject
  // Members; empty: the root file system is not part of the checkpoint.
  std::string deleted_files;
  std::string replaced_files;
  std::filesystem::path log;
  uint64_t log_bytes = UINT64_MAX;  // its length at the cut
  // The images are only for this archive: their space is given back while they are read.
  bool use_up_images = false;
  std::string key{};  // of the temporary file: AtomicFile
  // Private directory to be made for an archive that is to be encrypted, until it is.
  std::filesystem::path plain{};
};

// Where files of write_archive() can be when the process dies; for the journal.
std::vector<std::filesystem::path> archive_traces(const Plan& plan, const store::Layout& layout,
                                                  const std::string& key);

// trees: where each planned tree is read from, by member.
ArchiveSources gather_sources(const subject::Subject& subject, const store::Layout& layout,
                              const std::string& key, std::filesystem::path images,
                              std::filesystem::path work,
                              std::map<std::string, cut::CapturedTree> trees);

// Writes the archive to plan.target, whole and durable when it returns; the manifest gets its trees
// and members. With recipients it is written to sources.plain first and from there, encrypted, to
// the target. Returns the archive's size in bytes. On error nothing is left and Error names the
// target. Asks cancellation now and then, and gives up when it says so.
uint64_t write_archive(const Plan& plan, const ArchiveSources& sources, archive::Manifest manifest,
                       cut::Cancellation& cancellation, cut::Observer& observer);

}  // namespace still::checkpoint
