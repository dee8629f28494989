// What is found in images that no restore could bring back.
#include <gmock/gmock.h>

#include <map>
#include <vector>

#include "base/format.h"
#include "criu/examination.h"
#include "criu_image_bytes.h"
#include "os/files.h"
#include "os/limits.h"
#include "support.h"

namespace still::criu {
namespace {

using test::bytes;
using test::image;
using test::number;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int kRegular = 1;
constexpr int kEpoll = 7;
constexpr int kMemory = 18;

// Images of processes, as CRIU 4.1.1 writes them, with what is looked at.
class Images {
 public:
  void add_file(int id, int type, const std::string& details = {}) {
    files_.push_back(number(1, type) + number(2, id) + details);
  }
  // descriptors: files by number.
  void add_task(int pid, int program, const std::map<int, int>& descriptors, int state = 1) {
    tree_.push_back(number(1, pid) + number(2, 0) + number(3, pid) + number(4, pid));
    write(formatted("core-{}.img", pid), 0x55053847,
          {bytes(3, number(1, state) + bytes(6, "program")) + bytes(4, number(2, pid))});
    if (state != 1) return;
    std::vector<std::string> entries;
    for (const auto& [fd, file] : descriptors) {
      entries.push_back(number(1, file) + number(2, 0) + number(3, 1) + number(4, fd));
    }
    write(formatted("fdinfo-{}.img", pid), 0x56213732, entries);
    write(formatted("mm-{}.img", pid), 0x57492820, {number(12, program)});
  }
  std::vector<std::string> unrestorable() {
    write("files.img", 0x56303138, files_);
    write("pstree.img", 0x50273030, tree_);
    return find_unrestorable(scratch_.path());
  }

 private:
  void write(const std::string& name, uint32_t magic, const std::vector<std::string>& entries) {
    write_file_atomically(scratch_ / name, image(magic, entries), 0600);
  }

  const test::Scratch scratch_;
  std::vector<std::string> files_, tree_;
};

std::string waits_for(const std::vector<int>& descriptors) {
  std::string epoll;
  for (const int descriptor : descriptors) epoll += bytes(4, number(2, descriptor));
  return bytes(9, epoll);
}

TEST(Unrestorable, OrdinaryProcessesAreFine) {
  Images images;
  images.add_file(1, kRegular);
  images.add_file(2, kEpoll, waits_for({3, 4}));
  images.add_task(1, 1, {{3, 1}, {4, 1}, {5, 2}});
  images.add_task(7, 0, {}, 6);  // ended
  EXPECT_THAT(images.unrestorable(), IsEmpty());
}

TEST(Unrestorable, AProgramInMemory) {
  Images images;
  images.add_file(1, kMemory);
  images.add_task(1, 1, {});
  EXPECT_THAT(images.unrestorable(), ElementsAre(HasSubstr("task 1 (program) runs a program")));
}

TEST(Unrestorable, AnEpollSetWithAFileByAClosedDescriptor) {
  for (const auto& targets : {std::vector{4, 4}, std::vector{9}}) {
    Images images;
    images.add_file(1, kRegular);
    images.add_file(2, kEpoll, waits_for(targets));
    images.add_task(1, 1, {{3, 2}, {4, 1}});
    EXPECT_THAT(images.unrestorable(), ElementsAre(HasSubstr("by one that is closed")));
  }
}

// CRIU restores what two have open in the first of them.
TEST(Unrestorable, AnEpollSetIsThatOfTheFirstProcess) {
  Images images;
  images.add_file(1, kRegular);
  images.add_file(2, kEpoll, waits_for({4}));
  images.add_task(12, 1, {{3, 2}});
  images.add_task(2, 1, {{3, 2}, {4, 1}});
  EXPECT_THAT(images.unrestorable(), IsEmpty());
}

TEST(Unrestorable, ADescriptorWithoutAFile) {
  Images images;
  images.add_file(1, kRegular);
  images.add_task(1, 1, {{3, 8}});
  EXPECT_THAT(images.unrestorable(), ElementsAre(HasSubstr("what descriptor 3 of task 1")));
}

TEST(Examination, AWatchNeedsThePathOfItsFile) {
  constexpr int kInotify = 6;
  const auto watch = [](const std::string& handle) { return bytes(5, bytes(7, handle)); };
  Images images;
  images.add_file(1, kRegular);
  images.add_file(2, kInotify, bytes(13, watch(number(1, 8) + bytes(4, "etc/hosts"))));
  images.add_task(7, 1, {{3, 2}});
  EXPECT_THAT(images.unrestorable(), IsEmpty());
  images.add_file(3, kInotify, bytes(13, watch(bytes(4, "etc")) + watch(number(1, 8))));
  images.add_task(8, 1, {{3, 3}, {4, 3}});
  EXPECT_THAT(images.unrestorable(), ElementsAre(HasSubstr("watches a file (inotify)")));
}

TEST(Examination, AboveTheHighestDescriptorCriuHasItsOwn) {
  const auto most = static_cast<int>(most_descriptors());
  Images images;
  images.add_file(1, kRegular);
  images.add_task(7, 1, {{3, 1}, {most - 300, 1}});
  EXPECT_THAT(images.unrestorable(), IsEmpty());
  images.add_task(8, 1, {{3, 1}, {most - 1, 1}});
  EXPECT_THAT(images.unrestorable(), ElementsAre(HasSubstr("task 8 (program) has the descriptor")));
}

}  // namespace
}  // namespace still::criu
