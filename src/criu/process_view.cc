#include "criu/process_view.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ranges>
#include <set>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "criu/image.h"
#include "criu/image_files.h"
#include "criu/images.pb.h"
#include "criu/memory_images.h"
#include "criu/numbers.h"

namespace still::criu {
namespace {

constexpr ImageKind kFileLocksImage{0x54564319, 0x54323616};

constexpr uint64_t kMaxCommandLine = 4096;
// Of all processes together: images can say that thousands share one table.
constexpr size_t kMaxDescriptors = 4'000'000;

// What a mapping is (criu/include/image.h, VMA_...), the first that fits.
struct MappingKind {
  uint32_t status;
  const char* name;
};
constexpr std::array kMappingKinds = std::to_array<MappingKind>({
    {1U << 2 | 1U << 3 | 1U << 12, "kernel"},  // vsyscall, vdso, vvar
    {1U << 14, "memfd"},
    {1U << 8 | 1U << 10, "shared"},  // anonymous, System V
    {1U << 7, "shared file"},
    {1U << 6, "file"},
    {1U << 5, "heap"},
    {1U << 9, "anonymous"},
});

const char* kind_of_mapping(const messages::Mapping& mapping, const messages::Mm& mm) {
  if (mapping.start() <= mm.stack() && mm.stack() < mapping.end()) return "stack";
  const uint32_t status = mapping.status();
  const auto kind = std::ranges::find_if(
      kMappingKinds, [&](const MappingKind& each) { return (each.status & status) != 0; });
  return kind == kMappingKinds.end() ? "other" : kind->name;
}

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorKind::kCorrupt, reason); }

template <typename Message, typename Take>
void for_each_entry(const std::string& file, std::string_view content, const ImageKind& kind,
                    Take take) {
  for (const std::string_view entry : image_entries(content, kind)) {
    take(parse_entry<Message>(entry, file));
  }
}

template <typename Message>
Message only_entry(const std::string& file, std::string_view content, const ImageKind& kind) {
  return parse_image<Message>(content, kind, file);
}

const char* state_name(uint32_t state) {
  constexpr uint32_t kStopped = 3;
  if (state == kDead || state == kZombie) return "zombie";
  return state == kStopped ? "stopped" : "running";
}

// "10.0.0.1:80", "[::1]:80"
std::string endpoint(int family, const google::protobuf::RepeatedField<uint32_t>& words,
                     uint32_t port) {
  const bool is_six = family == AF_INET6;
  std::array<uint32_t, 4> address{};
  const auto count = std::min<size_t>(address.size(), static_cast<size_t>(words.size()));
  std::copy_n(words.begin(), count, address.begin());
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::inet_ntop(is_six ? AF_INET6 : AF_INET, address.data(), text.data(), text.size()) ==
      nullptr) {
    return {};
  }
  return formatted("{}{}{}:{}", is_six ? "[" : "", text.data(), is_six ? "]" : "", port);
}

bool is_tcp(const messages::InternetSocket& socket) {
  return socket.type() == SOCK_STREAM && socket.protocol() == IPPROTO_TCP;
}

SeenDescriptor internet_socket(const messages::InternetSocket& socket) {
  const int family = static_cast<int>(socket.family());
  SeenDescriptor seen;
  seen.kind = is_tcp(socket) ? "tcp" : socket.type() == SOCK_DGRAM ? "udp" : "internet socket";
  seen.name = endpoint(family, socket.address(), socket.port());
  if (socket.peer_port() != 0) {
    seen.name += " -> " + endpoint(family, socket.peer_address(), socket.peer_port());
  }
  return seen;
}

// Abstract names as people write them: "@name".
SeenDescriptor unix_socket(const messages::UnixSocket& socket) {
  std::string name = socket.name();
  if (name.starts_with('\0')) name[0] = '@';
  while (name.ends_with('\0')) name.pop_back();
  return {.number = 0, .kind = "unix", .name = std::move(name)};
}

const char* kind_of_file(uint32_t type) {
  switch (type) {
    case kRegular:
      return "file";
    case kPipe:
      return "pipe";
    case kFifo:
      return "fifo";
    case kEventCounter:
      return "eventfd";
    case kEventPoll:
      return "epoll";
    case kInotify:
      return "inotify";
    case kSignals:
      return "signalfd";
    case kPacketSocket:
      return "packet socket";
    case kTerminal:
      return "terminal";
    case kFanotify:
      return "fanotify";
    case kNetlinkSocket:
      return "netlink";
    case kNamespace:
      return "namespace";
    case kTunnel:
      return "tunnel";
    case kExternal:
      return "of the engine";
    case kTimer:
      return "timerfd";
    case kMemory:
      return "memfd";
    case kProcess:
      return "pidfd";
    default:
      return "other";
  }
}

SeenDescriptor describe(const messages::File& file) {
  if (file.has_internet()) return internet_socket(file.internet());
  if (file.has_unix_socket()) return unix_socket(file.unix_socket());
  SeenDescriptor seen{.number = 0, .kind = kind_of_file(file.type()), .name = {}};
  if (file.has_regular()) seen.name = file.regular().name();
  if (file.has_pipe()) seen.name = formatted("[{}]", file.pipe().pipe());
  return seen;
}

// CRIU needs both in order, and so do we: what is not costs more than it may.
void check_order(const messages::Mm& mm, const std::string& file) {
  uint64_t end = 0;
  for (const messages::Mapping& mapping : mm.mappings()) {
    if (mapping.start() < end || mapping.end() <= mapping.start()) fail_corrupt_image(file);
    end = mapping.end();
  }
}

void check_order(const PageMap& map, const std::string& file) {
  constexpr uint64_t kAddressSpace = uint64_t{1} << 57;
  uint64_t end = 0;
  for (const PageRange& range : map.ranges) {
    if (range.address < end || range.address >= kAddressSpace) fail_corrupt_image(file);
    end = range.end();
  }
}

// Both in order.
std::map<std::string, MemorySum> sum_up(const messages::Mm& mm, const PageMap* pages) {
  std::map<std::string, MemorySum> sums;
  size_t next = 0;
  for (const messages::Mapping& mapping : mm.mappings()) {
    MemorySum& sum = sums[kind_of_mapping(mapping, mm)];
    ++sum.mappings;
    sum.mapped_bytes += mapping.end() - mapping.start();
    if (pages == nullptr) continue;
    const auto& ranges = pages->ranges;
    while (next < ranges.size() && ranges[next].end() <= mapping.start()) ++next;
    for (size_t i = next; i < ranges.size() && ranges[i].address < mapping.end(); ++i) {
      next = i;  // it may reach into the next mapping
      if (ranges[i].is_missing()) continue;
      sum.stored_bytes +=
          std::min(ranges[i].end(), mapping.end()) - std::max(ranges[i].address, mapping.start());
    }
  }
  return sums;
}

// A piece of a file of pages that goes into a text.
struct Piece {
  uint64_t offset = 0;  // in the file
  uint64_t size = 0;
  std::string* text = nullptr;
};

// The pieces that have [begin, end) of the memory that the map is of, as far as they are there and
// follow each other from its begin.
std::vector<Piece> pieces_of(const PageMap& map, uint64_t begin, uint64_t end, std::string& text) {
  std::vector<Piece> pieces;
  uint64_t offset = 0;
  for (const PageRange& range : map.ranges) {
    if (range.is_missing()) continue;
    if (range.address <= begin && begin < range.end() && begin < end) {
      const uint64_t size = std::min(end, range.end()) - begin;
      pieces.push_back({offset + (begin - range.address), size, &text});
      begin += size;
    }
    offset += range.pages * kPageSize;
  }
  return pieces;
}

std::vector<std::string> words_of(std::string_view bytes) {
  if (bytes.ends_with('\0')) bytes.remove_suffix(1);
  return bytes.empty() ? std::vector<std::string>() : split(bytes, '\0');
}

}  // namespace

MemorySum& MemorySum::operator+=(const MemorySum& other) {
  mappings += other.mappings;
  mapped_bytes += other.mapped_bytes;
  stored_bytes += other.stored_bytes;
  return *this;
}

struct ProcessView::Parts {
  std::vector<messages::Tree> tree;
  std::map<std::string, messages::Core, std::less<>> cores;  // by the number in the file's name
  std::map<std::string, messages::Namespaces, std::less<>> ids;
  std::map<std::string, messages::Mm, std::less<>> mms;
  std::map<std::string, PageMap, std::less<>> page_maps;
  std::multimap<uint32_t, std::string> page_maps_of;  // by the number of their file of pages
  std::map<std::string, std::vector<messages::Descriptor>, std::less<>> tables;
  std::map<uint32_t, messages::File> files;
  std::map<std::string, std::string, std::less<>> command_lines;
  uint64_t shared_bytes = 0;
  uint64_t file_locks = 0;
};

ProcessView::ProcessView() : parts_(std::make_unique<Parts>()) {}
ProcessView::~ProcessView() = default;

bool ProcessView::wants(std::string_view file) {
  constexpr std::array<std::string_view, 6> kNumbered = {"core-%u.img",    "ids-%u.img",
                                                         "mm-%u.img",      "fdinfo-%u.img",
                                                         "pagemap-%u.img", "pagemap-shmem-%u.img"};
  return file == "pstree.img" || file == "files.img" || file == "filelocks.img" ||
         std::ranges::any_of(kNumbered, [&](std::string_view pattern) {
           return !number_in(file, pattern).empty();
         });
}

bool ProcessView::is_pages(std::string_view file) {
  return !number_in(file, "pages-%u.img").empty();
}

void ProcessView::add(const std::string& file, std::string_view content) {
  Parts& parts = *parts_;
  const auto number = [&](std::string_view pattern) {
    return std::string(number_in(file, pattern));
  };
  if (file == "pstree.img") {
    for_each_entry<messages::Tree>(file, content, kTreeImage, [&](messages::Tree one) {
      parts.tree.push_back(std::move(one));
    });
  } else if (file == "files.img") {
    for_each_entry<messages::File>(file, content, kFilesImage, [&](messages::File one) {
      parts.files.insert_or_assign(one.id(), std::move(one));
    });
  } else if (file == "filelocks.img") {
    parts.file_locks += image_entries(content, kFileLocksImage).size();
  } else if (const auto core = number("core-%u.img"); !core.empty()) {
    parts.cores[core] = only_entry<messages::Core>(file, content, kCoreImage);
  } else if (const auto ids = number("ids-%u.img"); !ids.empty()) {
    parts.ids[ids] = only_entry<messages::Namespaces>(file, content, kIdsImage);
  } else if (const auto mm = number("mm-%u.img"); !mm.empty()) {
    auto space = only_entry<messages::Mm>(file, content, kMmImage);
    check_order(space, file);
    parts.mms[mm] = std::move(space);
  } else if (const auto table = number("fdinfo-%u.img"); !table.empty()) {
    for_each_entry<messages::Descriptor>(
        file, content, kDescriptorsImage,
        [&](const messages::Descriptor& one) { parts.tables[table].push_back(one); });
  } else if (const auto pages = number("pagemap-%u.img"); !pages.empty()) {
    PageMap map = parse_page_map(content, file);
    check_order(map, file);
    parts.page_maps_of.emplace(map.pages_id, pages);
    parts.page_maps[pages] = std::move(map);
  } else if (const auto shared = number("pagemap-shmem-%u.img"); !shared.empty()) {
    const PageMap map = parse_page_map(content, file);
    for (const PageRange& range : map.ranges) {
      if (!range.is_missing()) parts.shared_bytes += range.pages * kPageSize;
    }
  }
}

std::function<void(std::string_view)> ProcessView::pages(std::string_view file) {
  std::vector<Piece> pieces;
  const auto id = parse_integer(number_in(file, "pages-%u.img")).value_or(-1);
  const auto maps = id < 0 || id > UINT32_MAX
                        ? std::pair(parts_->page_maps_of.end(), parts_->page_maps_of.end())
                        : parts_->page_maps_of.equal_range(static_cast<uint32_t>(id));
  for (const auto& [pages_id, number] : std::ranges::subrange(maps.first, maps.second)) {
    const PageMap& map = parts_->page_maps.at(number);
    const auto mm = parts_->mms.find(number);
    if (mm == parts_->mms.end() || mm->second.arguments_end() <= mm->second.arguments()) continue;
    const uint64_t begin = mm->second.arguments();
    const uint64_t size = std::min(mm->second.arguments_end() - begin, kMaxCommandLine);
    auto found = pieces_of(map, begin, begin + size, parts_->command_lines[number]);
    pieces.insert(pieces.end(), found.begin(), found.end());
  }
  std::ranges::sort(pieces, {}, &Piece::offset);
  return [pieces = std::move(pieces), position = uint64_t{0},
          next = size_t{0}](std::string_view block) mutable {
    const uint64_t end = position + block.size();
    for (; next < pieces.size() && pieces[next].offset < end; ++next) {
      Piece& piece = pieces[next];
      const uint64_t size = std::min(piece.size, end - piece.offset);
      piece.text->append(block.substr(piece.offset - position, size));
      piece.offset += size;
      piece.size -= size;
      if (piece.size > 0) break;  // the rest is in the next block
    }
    position = end;
  };
}

namespace {

// Each behind its parent.
std::vector<SeenProcess> in_order(std::vector<SeenProcess> processes) {
  std::ranges::sort(processes, {}, &SeenProcess::pid);
  std::map<uint32_t, std::vector<const SeenProcess*>> children;
  std::set<uint32_t> pids;
  for (const SeenProcess& process : processes) {
    if (!pids.insert(process.pid).second) refuse("two processes have one number");
  }
  std::vector<std::pair<const SeenProcess*, uint32_t>> waiting;  // the last first, with their depth
  for (const SeenProcess& process : processes) {
    if (pids.contains(process.parent)) {
      children[process.parent].push_back(&process);
    } else {
      waiting.emplace_back(&process, 0);
    }
  }
  std::ranges::reverse(waiting);
  std::vector<SeenProcess> ordered;
  while (!waiting.empty()) {
    const auto [process, depth] = waiting.back();
    waiting.pop_back();
    ordered.push_back(*process);
    ordered.back().depth = depth;
    const auto below = children.find(process->pid);
    if (below == children.end()) continue;
    for (size_t i = below->second.size(); i > 0; --i) {
      waiting.emplace_back(below->second[i - 1], depth + 1);
    }
  }
  if (ordered.size() != processes.size()) refuse("its processes are no tree");
  return ordered;
}

}  // namespace

SeenContainer ProcessView::result() const {
  const Parts& parts = *parts_;
  const auto name_of_file = [&](uint32_t id) {
    const auto file = parts.files.find(id);
    return file == parts.files.end() ? std::string() : file->second.regular().name();
  };
  size_t descriptors = 0;
  const auto descriptors_of = [&](const std::string& number, const messages::Core& core) {
    std::vector<SeenDescriptor> seen;
    const auto ids = parts.ids.find(number);
    const auto& shared =
        core.has_namespaces() || ids == parts.ids.end() ? core.namespaces() : ids->second;
    const auto table = parts.tables.find(formatted("{}", shared.files()));
    if (table == parts.tables.end()) return seen;
    for (const messages::Descriptor& one : table->second) {
      const auto file = parts.files.find(one.file());
      SeenDescriptor descriptor = file == parts.files.end()
                                      ? SeenDescriptor{.number = 0, .kind = "unknown", .name = {}}
                                      : describe(file->second);
      descriptor.number = one.number();
      seen.push_back(std::move(descriptor));
    }
    descriptors += seen.size();
    if (descriptors > kMaxDescriptors) refuse("its processes have too many descriptors");
    std::ranges::sort(seen, {}, &SeenDescriptor::number);
    return seen;
  };

  SeenContainer seen{.processes = {}, .shared_bytes = parts.shared_bytes};
  for (const messages::Tree& one : parts.tree) {
    const std::string number = formatted("{}", one.pid());
    const auto core = parts.cores.find(number);
    if (core == parts.cores.end()) refuse(formatted("core-{}.img is missing", number));
    SeenProcess process{.pid = one.pid(), .parent = one.parent()};
    process.threads = static_cast<uint64_t>(one.threads_size());
    process.name = core->second.process().name();
    process.state = state_name(core->second.process().state());
    if (const auto mm = parts.mms.find(number); mm != parts.mms.end()) {
      const auto pages = parts.page_maps.find(number);
      process.memory =
          sum_up(mm->second, pages == parts.page_maps.end() ? nullptr : &pages->second);
      if (mm->second.has_program()) process.program = name_of_file(mm->second.program());
    }
    if (const auto words = parts.command_lines.find(number); words != parts.command_lines.end()) {
      process.command_line = words_of(words->second);
    }
    process.descriptors = descriptors_of(number, core->second);
    seen.processes.push_back(std::move(process));
  }
  seen.processes = in_order(std::move(seen.processes));
  for (const auto& [id, file] : parts.files) {
    const auto& socket = file.internet();
    seen.has_tcp_connections = seen.has_tcp_connections ||
                               (file.has_internet() && is_tcp(socket) && socket.peer_port() != 0);
  }
  seen.file_locks = parts.file_locks;
  return seen;
}

}  // namespace still::criu
