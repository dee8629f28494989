#include <gmock/gmock.h>

#include "criu/process_view.h"
#include "criu_image_bytes.h"
#include "support.h"

namespace still::criu {
namespace {

using test::bytes;
using test::image;
using test::number;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint32_t kTree = 0x50273030;
constexpr uint32_t kCore = 0x55053847;
constexpr uint32_t kMm = 0x57492820;
constexpr uint32_t kPageMap = 0x56084025;
constexpr uint32_t kFiles = 0x56303138;
constexpr uint32_t kDescriptors = 0x56213732;

constexpr uint32_t kAnonymous = 1U << 9;
constexpr uint32_t kPresentFlag = 4;

std::string tree(uint32_t pid, uint32_t parent) {
  return number(1, pid) + number(2, parent) + number(5, pid);
}
std::string core(const std::string& name, uint32_t state = 1, uint32_t table = 1) {
  return image(kCore, {bytes(3, number(1, state) + bytes(6, name)) + bytes(4, number(2, table))});
}
std::string mapping(uint64_t start, uint64_t end, uint32_t status) {
  return bytes(14, number(1, start) + number(2, end) + number(6, 0) + number(7, status));
}
std::string run(uint64_t address, uint32_t pages, uint32_t flags = kPresentFlag) {
  return number(1, address) + number(2, pages) + number(4, flags);
}

class View : public testing::Test {
 protected:
  std::string refusal_of(const std::string& file, const std::string& content) {
    return test::message_thrown_by([&] { view_.add(file, content); });
  }

  ProcessView view_;
};

TEST_F(View, ProcessesAreATreeWithEachBehindItsParent) {
  view_.add("pstree.img", image(kTree, {tree(9, 7), tree(1, 0), tree(7, 1), tree(3, 1)}));
  for (const char* pid : {"1", "3", "7", "9"}) {
    view_.add("core-" + std::string(pid) + ".img", core("p" + std::string(pid)));
  }
  std::vector<std::pair<uint32_t, uint32_t>> seen;
  const SeenContainer container = view_.result();
  for (const SeenProcess& process : container.processes) {
    seen.emplace_back(process.pid, process.depth);
  }
  using Pair = std::pair<uint32_t, uint32_t>;
  EXPECT_THAT(seen, ElementsAre(Pair{1, 0}, Pair{3, 1}, Pair{7, 1}, Pair{9, 2}));
}

TEST_F(View, WhatIsNoTreeIsRefused) {
  view_.add("pstree.img", image(kTree, {tree(1, 2), tree(2, 1)}));
  view_.add("core-1.img", core("a"));
  EXPECT_THAT(test::message_thrown_by([&] { view_.result(); }), HasSubstr("core-2.img is missing"));
  view_.add("core-2.img", core("b"));
  EXPECT_THAT(test::message_thrown_by([&] { view_.result(); }), HasSubstr("no tree"));
  view_.add("pstree.img", image(kTree, {tree(1, 0)}));
  EXPECT_THAT(test::message_thrown_by([&] { view_.result(); }), HasSubstr("one number"));
}

TEST_F(View, MemoryIsCountedByKind) {
  view_.add("pstree.img", image(kTree, {tree(1, 0)}));
  view_.add("core-1.img", core("a"));
  view_.add("mm-1.img", image(kMm, {number(5, 0x5ff0) + mapping(0x1000, 0x5000, kAnonymous) +
                                    mapping(0x5000, 0x6000, kAnonymous) +
                                    mapping(0x8000, 0x9000, kAnonymous)}));
  // One run over two mappings; what is in a parent or nowhere does not count.
  view_.add("pagemap-1.img",
            image(kPageMap, {number(1, 1), run(0x2000, 1, 0), run(0x4000, 2), run(0x8000, 1, 1)}));
  const auto memory = view_.result().processes.at(0).memory;
  EXPECT_EQ(memory.at("anonymous").mappings, 2U);
  EXPECT_EQ(memory.at("anonymous").mapped_bytes, 0x5000U);
  EXPECT_EQ(memory.at("anonymous").stored_bytes, 0x1000U);
  EXPECT_EQ(memory.at("stack").stored_bytes, 0x1000U);
}

TEST_F(View, MemoryThatIsNotInOrderIsRefused) {
  EXPECT_THAT(refusal_of("mm-1.img", image(kMm, {mapping(0x5000, 0x6000, kAnonymous) +
                                                 mapping(0x1000, 0x2000, kAnonymous)})),
              HasSubstr("mm-1.img"));
  EXPECT_THAT(refusal_of("mm-1.img", image(kMm, {mapping(0x5000, 0x5000, kAnonymous)})),
              HasSubstr("mm-1.img"));
  EXPECT_THAT(
      refusal_of("pagemap-1.img", image(kPageMap, {number(1, 1), run(0x2000, 4), run(0x3000, 1)})),
      HasSubstr("pagemap-1.img"));
  EXPECT_THAT(refusal_of("pagemap-1.img", image(kPageMap, {number(1, 1), run(~0ULL << 12, 4)})),
              HasSubstr("pagemap-1.img"));
}

// In blocks that end in the middle of it, over two runs, behind pages of other memory.
TEST_F(View, TheCommandLineIsInThePages) {
  const std::string line("cat\0/etc/motd\0", 14);
  view_.add("pstree.img", image(kTree, {tree(1, 0)}));
  view_.add("core-1.img", core("cat"));
  view_.add("mm-1.img", image(kMm, {number(8, 0x7ffa) + number(9, 0x7ffa + line.size()) +
                                    mapping(0x7000, 0x9000, kAnonymous)}));
  view_.add("pagemap-1.img",
            image(kPageMap, {number(1, 5), run(0x1000, 1), run(0x7000, 1), run(0x8000, 1)}));
  std::string pages(size_t{3} * 4096, 'x');
  pages.replace(4096 + 0xffa, line.size(), line);
  const auto watch = view_.pages("pages-5.img");
  for (size_t at = 0; at < pages.size(); at += 7) watch(std::string_view(pages).substr(at, 7));
  EXPECT_THAT(view_.result().processes.at(0).command_line, ElementsAre("cat", "/etc/motd"));
}

TEST_F(View, DescriptorsAreNamed) {
  const auto file = [](uint32_t type, uint32_t id, const std::string& rest) {
    return number(1, type) + number(2, id) + rest;
  };
  const std::string socket = number(3, 2) + number(4, 1) + number(6 - 1, 6) + number(7, 80) +
                             number(8, 4711) + number(11, 0x0100007f) + number(12, 0x0200007f);
  view_.add("pstree.img", image(kTree, {tree(1, 0)}));
  view_.add("core-1.img", core("a", 1, 4));
  view_.add(
      "files.img",
      image(kFiles, {file(1, 10, bytes(3, bytes(6, "/data/log"))), file(4, 11, bytes(4, socket)),
                     file(5, 12, bytes(16, number(3, 1) + bytes(11, std::string("\0x", 2)))),
                     file(2, 13, bytes(18, number(2, 77)))}));
  const auto descriptor = [](uint32_t id, uint32_t at) { return number(1, id) + number(4, at); };
  view_.add("fdinfo-4.img",
            image(kDescriptors, {descriptor(11, 3), descriptor(10, 0), descriptor(12, 5),
                                 descriptor(13, 6), descriptor(99, 7)}));
  std::vector<std::string> seen;
  const SeenContainer container = view_.result();
  for (const SeenDescriptor& one : container.processes.at(0).descriptors) {
    seen.push_back(std::to_string(one.number) + " " + one.kind + " " + one.name);
  }
  EXPECT_THAT(seen, ElementsAre("0 file /data/log", "3 tcp 127.0.0.1:80 -> 127.0.0.2:4711",
                                "5 unix @x", "6 pipe [77]", "7 unknown "));
  EXPECT_TRUE(container.has_tcp_connections);
}

TEST_F(View, SharedMemoryIsCountedOnce) {
  view_.add("pagemap-shmem-7.img", image(kPageMap, {number(1, 1), run(0, 3), run(0x8000, 2, 1)}));
  EXPECT_EQ(view_.result().shared_bytes, 0x3000U);
}

TEST_F(View, WhatIsNoImageIsRefused) {
  for (const char* file : {"pstree.img", "files.img", "filelocks.img", "core-1.img", "ids-1.img",
                           "mm-1.img", "fdinfo-1.img", "pagemap-1.img", "pagemap-shmem-1.img"}) {
    EXPECT_TRUE(ProcessView::wants(file));
    EXPECT_EQ(test::kind_thrown_by([&] { view_.add(file, "garbage that is long enough"); }),
              ErrorKind::kCorrupt)
        << file;
  }
}

}  // namespace
}  // namespace still::criu
