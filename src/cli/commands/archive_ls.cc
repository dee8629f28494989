// still archive ls
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/format.h"
#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/archive_flags.h"
#include "cli/output/human.h"
#include "cli/output/output.h"
#include "contents/listing.h"
#include "os/clock.h"

namespace still::cli {
namespace {

struct LsFlags {
  std::string file;
  std::string member;
  std::string identity;
  ListOptions list;
};

std::string digest_state(const contents::ListedMember& member, bool has_digests) {
  if (!has_digests || member.name == archive::kManifestMember) return "none";
  return member.fault.empty() ? "verified" : member.fault;
}

ListEntry member_entry(const contents::ListedMember& member, bool has_digests) {
  Json json;
  json["Name"] = printable(member.name);
  json["Size"] = member.size_bytes;
  json["LinkTarget"] = printable(member.link_target);
  json["SHA256"] = member.sha256;
  json["Digest"] = digest_state(member, has_digests);
  Json fields = json;
  fields["Size"] = human_size(member.size_bytes);
  return {json, fields};
}

// As ls -l begins its lines.
std::string mode_text(const contents::TreeEntry& entry) {
  constexpr std::string_view kBits = "rwxrwxrwx";
  std::string text = "?";
  if (S_ISREG(entry.mode)) text = "-";
  if (S_ISDIR(entry.mode)) text = "d";
  if (S_ISLNK(entry.mode)) text = "l";
  if (S_ISFIFO(entry.mode)) text = "p";
  if (S_ISCHR(entry.mode)) text = "c";
  if (S_ISBLK(entry.mode)) text = "b";
  for (size_t i = 0; i < kBits.size(); ++i) {
    text += (entry.mode >> (kBits.size() - 1 - i) & 1) != 0 ? kBits[i] : '-';
  }
  if ((entry.mode & S_ISUID) != 0) text[3] = text[3] == 'x' ? 's' : 'S';
  if ((entry.mode & S_ISGID) != 0) text[6] = text[6] == 'x' ? 's' : 'S';
  if ((entry.mode & S_ISVTX) != 0) text[9] = text[9] == 'x' ? 't' : 'T';
  return text;
}

ListEntry tree_entry(const contents::TreeEntry& entry) {
  Json json;
  json["Path"] = entry.path.empty() ? "." : printable(entry.path);
  json["Mode"] = mode_text(entry);
  json["UID"] = entry.uid;
  json["GID"] = entry.gid;
  json["Size"] = entry.size_bytes;
  json["Modified"] = go_time(nanoseconds_of(entry.modified));
  json["LinkTarget"] = printable(entry.link_target);
  json["HardLink"] = printable(entry.hard_link);
  json["Device"] = S_ISCHR(entry.mode) || S_ISBLK(entry.mode)
                       ? formatted("{}:{}", major(entry.device), minor(entry.device))
                       : "";
  Json fields = json;
  fields["Owner"] = formatted("{}:{}", entry.uid, entry.gid);
  fields["Size"] = human_size(entry.size_bytes);
  std::string name = fields["Path"];
  if (!entry.link_target.empty()) name += " -> " + printable(entry.link_target);
  if (!entry.hard_link.empty()) name += " = " + printable(entry.hard_link);
  fields["Name"] = name;
  return {json, fields};
}

int list_tree(const LsFlags& flags) {
  const auto tree = [&] {
    ProgressLine progress;
    return contents::list_tree(flags.file, flags.member, archive_options(flags.identity, progress));
  }();
  std::vector<ListEntry> entries;
  entries.reserve(tree.size());
  for (const contents::TreeEntry& entry : tree) entries.push_back(tree_entry(entry));
  const ListFormat format{
      "table {{.Mode}}\t{{.Owner}}\t{{.Size}}\t{{.Name}}", {}, tree_entry({}).fields};
  std::cout << format_list(entries, format, flags.list);
  return 0;
}

// After the list: it shows which.
void refuse_faults(const std::string& file, const contents::Listing& listing) {
  const auto is_faulty = [](const contents::ListedMember& member) { return !member.fault.empty(); };
  const auto first = std::ranges::find_if(listing.members, is_faulty);
  if (first == listing.members.end()) return;
  throw Error(ErrorKind::kCorrupt,
              formatted("{}: {} of the members not as the manifest says, the first is \"{}\": {}",
                        printable(file), std::ranges::count_if(listing.members, is_faulty),
                        printable_name(first->name), first->fault));
}

int list_members(const LsFlags& flags) {
  const contents::Listing listing = [&] {
    ProgressLine progress;
    return contents::list_members(flags.file, archive_options(flags.identity, progress));
  }();
  std::vector<ListEntry> entries;
  for (const contents::ListedMember& member : listing.members) {
    entries.push_back(member_entry(member, listing.has_digests));
  }
  const ListFormat format{
      "table {{.Name}}\t{{.Size}}\t{{.Digest}}", {}, member_entry({}, true).fields};
  std::cout << format_list(entries, format, flags.list) << std::flush;
  refuse_faults(flags.file, listing);
  return 0;
}

}  // namespace

void register_archive_ls(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<LsFlags>();
  CLI::App& command = add_command(
      parent, {"ls",
               "List the members of an archive, or the files of a tree in it",
               "[flags] FILE [MEMBER]",
               {"still archive ls web.tar.zst", "still archive ls web.tar.zst volumes/data.tar",
                "still archive ls --format json web.tar.zst"}});
  command.alias("list");
  command.add_option("FILE", flags->file, "Archive")->required();
  command.add_option("MEMBER", flags->member,
                     "A tree in it, whose files are listed: rootfs-diff.tar, volumes/NAME.tar");
  add_identity_flag(command, flags->identity);
  command.add_flag("-n,--noheading", flags->list.no_heading, "Print no line of headers");
  add_value(command, "-f,--format", flags->list.format, "Print as JSON or by a Go template",
            "json|TEMPLATE");
  on_run(command, context,
         [flags] { return flags->member.empty() ? list_members(*flags) : list_tree(*flags); });
}

}  // namespace still::cli
