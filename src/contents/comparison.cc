#include "contents/comparison.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "archive/members.h"
#include "archive/sha256.h"
#include "archive/tree_checks.h"
#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "contents/images.h"
#include "contents/member.h"
#include "criu/image_files.h"
#include "criu/memory_images.h"
#include "criu/process_view.h"

namespace still::contents {
namespace {

constexpr size_t kMaxPathBytes = size_t{1} << 30;

// The first half of a SHA-256: nobody finds two contents with the same.
using Digest = std::array<char, 32>;

Digest digest_of(archive::Sha256& sum) {
  Digest digest{};
  sum.finish().copy(digest.data(), digest.size());
  return digest;
}

Digest digest_of(std::string_view bytes) {
  archive::Sha256 sum;
  sum.update(bytes);
  return digest_of(sum);
}

using Tree = std::map<std::string, Digest>;  // by path
using Pages = std::vector<Digest>;           // of a pages-N.img

// Content by blocks, without those that are zeros: where holes are may differ although the content
// does not, and a hole can be as large as an archive says.
class ContentSum {
 public:
  explicit ContentSum(archive::Sha256& sum) : sum_(sum), block_(kSize, '\0') {}

  void add(const archive::TarReader::Block& data) {
    uint64_t position = data.offset;
    for (std::string_view rest = data.data; !rest.empty();) {
      const uint64_t start = position / kSize * kSize;
      if (start != start_) flush();
      start_ = start;
      const size_t size = std::min<size_t>(rest.size(), start + kSize - position);
      rest.copy(block_.data() + (position - start), size);
      rest.remove_prefix(size);
      position += size;
    }
  }

  // What has been added last.
  void flush() {
    if (block_.find_first_not_of('\0') == std::string::npos) return;
    sum_.update(formatted("{}:", start_));
    sum_.update(block_);
    block_.assign(kSize, '\0');
  }

 private:
  static constexpr size_t kSize = 4096;

  archive::Sha256& sum_;
  std::string block_;
  uint64_t start_ = 0;  // in the content
};

// Each field with its length: two entries have the same text only if they are the same.
Digest entry_digest(archive::TarReader& tar, const archive::TarMember& member,
                    const archive::TreeChecks::Place& place) {
  archive::Sha256 sum;
  const auto add = [&](std::string_view field) {
    sum.update(formatted("{}:", field.size()));
    sum.update(field);
  };
  add(place.hard_link);
  add(member.link_target);
  add(formatted("{} {} {} {} {}", member.metadata.mode, member.metadata.uid, member.metadata.gid,
                member.size_bytes, member.device));
  for (const auto& [name, value] : member.metadata.xattrs) {
    add(name);
    add(value);
  }
  ContentSum content(sum);
  archive::read_content(tar, member,
                        [&](const archive::TarReader::Block& block) { content.add(block); });
  content.flush();
  return digest_of(sum);
}

struct Read {
  criu::SeenContainer seen;
  std::map<std::string, Tree> trees;                            // by member
  std::map<std::string, criu::PageMap, std::less<>> page_maps;  // by image
  std::map<uint32_t, Pages> pages;                              // by the number of their file
};

class Reader : public archive::MemberSink {
 public:
  void directory(const std::string& /*name*/) override {}
  void link(const std::string& /*name*/, const std::string& /*target*/) override {}

  void file(const std::string& name, uint64_t size_bytes, const archive::Source& content) override {
    if (is_tree(name)) return add_tree(name, content);
    const std::string image = image_of(name);
    if (criu::ProcessView::is_pages(image)) return add_pages(image, content);
    if (criu::ProcessView::wants(image)) add_image(image, size_bytes, content);
  }

  Read take() {
    read_.seen = view_.result();
    return std::move(read_);
  }

 private:
  void add_tree(const std::string& member, const archive::Source& content) {
    Tree& tree = read_.trees[member];
    archive::TreeChecks checks(kLooking);
    archive::for_each_tree_member(
        tree_stream(member, content), checks,
        [&](archive::TarReader& tar, const archive::TarMember& entry,
            const archive::TreeChecks::Place& place) {
          path_bytes_ += sizeof(Digest) + 100 + place.path.size();
          if (path_bytes_ > kMaxPathBytes) {
            throw Error(ErrorKind::kUnsupported, "the trees have too many entries to be compared",
                        "take them out with `still archive extract`, and compare those");
          }
          tree.insert_or_assign(place.path, entry_digest(tar, entry, place));
        });
  }

  void add_image(const std::string& image, uint64_t size_bytes, const archive::Source& content) {
    kept_.add(size_bytes);
    std::string text;
    archive::for_each_block(content, [&](std::string_view block) { text += block; });
    view_.add(image, text);
    if (image.starts_with("pagemap-")) read_.page_maps[image] = criu::parse_page_map(text, image);
  }

  void add_pages(const std::string& image, const archive::Source& content) {
    const auto number = parse_integer(criu::number_in(image, "pages-%u.img"));
    if (!number || *number > UINT32_MAX) return;
    Pages& pages = read_.pages[static_cast<uint32_t>(*number)];
    const auto watch = view_.pages(image);
    std::string page(criu::kPageSize, '\0');
    for (;;) {
      size_t size = 0;
      while (const size_t got = content(page.data() + size, page.size() - size)) size += got;
      if (size == 0) return;
      watch(std::string_view(page).substr(0, size));
      pages.push_back(digest_of(std::string_view(page).substr(0, size)));
    }
  }

  Read read_;
  criu::ProcessView view_;
  KeptImages kept_;
  size_t path_bytes_ = 0;
};

Read read(const std::filesystem::path& archive, const archive::ReadOptions& options) {
  Reader reader;
  archive::read_archive(archive, reader, options);
  try {
    return reader.take();
  } catch (const Error& error) {
    throw error.in(printable(archive.native()));
  }
}

// The pages of a map that are in its file, one after the other.
class PageCursor {
 public:
  PageCursor(const Read& read, const std::string& image) {
    const auto map = read.page_maps.find(image);
    if (map == read.page_maps.end()) return;
    const auto pages = read.pages.find(map->second.pages_id);
    if (pages == read.pages.end()) return;
    map_ = &map->second;
    pages_ = &pages->second;
    settle();
  }

  bool at_end() const {
    return map_ == nullptr || range_ == map_->ranges.size() || place_ >= pages_->size();
  }
  uint64_t address() const { return map_->ranges[range_].address + page_ * criu::kPageSize; }
  const Digest& digest() const { return (*pages_)[place_]; }
  void next() {
    ++page_;
    ++place_;
    settle();
  }

 private:
  // On the next page that is there.
  void settle() {
    while (range_ < map_->ranges.size() &&
           (map_->ranges[range_].is_missing() || page_ >= map_->ranges[range_].pages)) {
      ++range_;
      page_ = 0;
    }
  }

  const criu::PageMap* map_ = nullptr;
  const Pages* pages_ = nullptr;
  size_t range_ = 0;
  uint64_t page_ = 0;
  size_t place_ = 0;  // in the file
};

struct PageCounts {
  uint64_t equal = 0;
  uint64_t differing = 0;
};

PageCounts compare_pages(PageCursor before, PageCursor after) {
  PageCounts counts;
  while (!before.at_end() || !after.at_end()) {
    if (after.at_end() || (!before.at_end() && before.address() < after.address())) {
      ++counts.differing;
      before.next();
    } else if (before.at_end() || after.address() < before.address()) {
      ++counts.differing;
      after.next();
    } else {
      ++(before.digest() == after.digest() ? counts.equal : counts.differing);
      before.next();
      after.next();
    }
  }
  return counts;
}

ComparedProcess compared(const criu::SeenProcess& process, Change change, PageCounts pages) {
  return {.change = change,
          .pid = process.pid,
          .name = process.name,
          .command_line = process.command_line,
          .equal_pages = pages.equal,
          .differing_pages = pages.differing};
}

std::vector<ComparedProcess> compare_processes(const Read& before, const Read& after) {
  using Key = std::tuple<uint32_t, std::string, std::string>;
  std::map<Key, std::pair<const criu::SeenProcess*, const criu::SeenProcess*>> both;
  const auto key = [](const criu::SeenProcess& one) { return Key{one.pid, one.name, one.program}; };
  for (const auto& process : before.seen.processes) both[key(process)].first = &process;
  for (const auto& process : after.seen.processes) both[key(process)].second = &process;
  std::vector<ComparedProcess> result;
  for (const auto& [identity, pair] : both) {
    const auto [old, now] = pair;
    const std::string image = formatted("pagemap-{}.img", std::get<0>(identity));
    if (old == nullptr) {
      result.push_back(compared(*now, Change::kAdded, {}));
    } else if (now == nullptr) {
      result.push_back(compared(*old, Change::kRemoved, {}));
    } else {
      result.push_back(compared(
          *now, Change::kNone, compare_pages(PageCursor(before, image), PageCursor(after, image))));
    }
  }
  return result;
}

std::vector<ComparedSharedMemory> compare_shared_memory(const Read& before, const Read& after) {
  std::map<int64_t, std::string> images;
  for (const Read* read : {&before, &after}) {
    for (const auto& [image, map] : read->page_maps) {
      const auto number = parse_integer(criu::number_in(image, "pagemap-shmem-%u.img"));
      if (number) images.emplace(*number, image);
    }
  }
  std::vector<ComparedSharedMemory> result;
  for (const auto& [number, image] : images) {
    ComparedSharedMemory memory{.number = static_cast<uint64_t>(number)};
    if (!before.page_maps.contains(image)) memory.change = Change::kAdded;
    if (!after.page_maps.contains(image)) memory.change = Change::kRemoved;
    const PageCounts pages = compare_pages(PageCursor(before, image), PageCursor(after, image));
    memory.equal_pages = pages.equal;
    memory.differing_pages = pages.differing;
    result.push_back(memory);
  }
  return result;
}

ComparedTree compare_trees(const std::string& member, const Tree& before, const Tree& after) {
  ComparedTree result{.member = member, .added = {}, .changed = {}, .removed = {}};
  for (const auto& [path, digest] : before) {
    const auto now = after.find(path);
    if (now == after.end()) {
      result.removed.push_back(path);
    } else if (now->second != digest) {
      result.changed.push_back(path);
    }
  }
  for (const auto& [path, digest] : after) {
    if (!before.contains(path)) result.added.push_back(path);
  }
  return result;
}

}  // namespace

Comparison compare_archives(const std::filesystem::path& before_file,
                            const std::filesystem::path& after_file,
                            const archive::ReadOptions& options) {
  Read before = read(before_file, options);
  Read after = read(after_file, options);
  Comparison comparison{.processes = compare_processes(before, after),
                        .shared_memory = compare_shared_memory(before, after),
                        .trees = {}};
  for (const auto& [member, tree] : before.trees) after.trees.try_emplace(member);
  for (const auto& [member, tree] : after.trees) {
    comparison.trees.push_back(compare_trees(member, before.trees[member], tree));
  }
  return comparison;
}

}  // namespace still::contents
