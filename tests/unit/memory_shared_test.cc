// Memory that processes share, copied while they change it: each does what it is told, one thing
// after the other, and stands still in between.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>

#include "base/format.h"
#include "criu/memory_images.h"
#include "memory/births.h"
#include "memory/precopy.h"
#include "memory/shared_file.h"
#include "os/files.h"
#include "support.h"
#include "told_process.h"

namespace still::memory {
namespace {

using criu::kPageSize;

constexpr size_t kPages = 600;  // in more than one chunk of the store

// A shared mapping, and what leads to it.
class Shared {
 public:
  explicit Shared(int flags = MAP_ANONYMOUS, int file = -1)
      : memory_(static_cast<char*>(::mmap(nullptr, kPages * kPageSize, PROT_READ | PROT_WRITE,
                                          MAP_SHARED | flags, file, 0))) {}
  explicit Shared(void* attached) : memory_(static_cast<char*>(attached)) {}
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { ::munmap(memory_, kPages * kPageSize); }

  char* at(size_t page) const { return memory_ + page * kPageSize; }
  void fill(size_t first, size_t count, char value) const {
    std::memset(at(first), value, count * kPageSize);
  }
  uint64_t inode() const {
    struct stat status{};
    const auto start = reinterpret_cast<uint64_t>(memory_);
    const auto link =
        formatted("/proc/self/map_files/{:x}-{:x}", start, start + kPages * kPageSize);
    EXPECT_EQ(::stat(link.c_str(), &status), 0);
    return status.st_ino;
  }

 private:
  char* const memory_;
};

// A pid namespace, as a container has it: threads of this test are not born there.
class Space {
 public:
  pid_t fork() {
    if (first_ == 0) {
      EXPECT_EQ(::unshare(CLONE_NEWPID), 0);
    } else {
      enter(open_file(formatted("/proc/{}/ns/pid", first_), O_RDONLY));
    }
    const pid_t child = ::fork();
    if (child == 0) return child;
    enter(own_);
    if (first_ == 0) first_ = child;
    return child;
  }

 private:
  static void enter(const Fd& space) { EXPECT_EQ(::setns(space.get(), CLONE_NEWPID), 0); }

  const Fd own_ = open_file("/proc/self/ns/pid", O_RDONLY);
  pid_t first_ = 0;
};

class Subject : public test::ToldProcess {
 public:
  Subject(Space& space, const std::vector<Work>& works)
      : ToldProcess(works, [&space] { return space.fork(); }) {}
};

// A process that does one thing and is gone.
void in_passing(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
}

class SharedMemoryTest : public testing::Test {
 protected:
  using Pids = std::vector<pid_t>;

  void start(const Pids& processes) {
    precopy_.emplace(directory_.path(), processes.front());
    precopy_->start(processes, [] {});
  }
  // As it stands now.
  void finish(const Pids& processes) {
    precopy_->begin_last(processes);
    EXPECT_THAT(precopy_->end_last(), testing::IsEmpty());
  }
  // What CRIU leaves, completed: the first byte of each page, '-' where there is none.
  std::string content(uint64_t inode) {
    criu::write_shared_page_map(directory_.path(), inode, {.pages_id = 7, .ranges = {}});
    std::filesystem::remove(directory_.path() / "pages-7.img");
    precopy_->shared()->complete(directory_.path());
    const auto map = criu::read_shared_page_map(directory_.path(), inode);
    const std::string pages = read_file(directory_.path() / "pages-7.img");
    std::string result(kPages, '-');
    size_t at = 0;
    for (const criu::PageRange& range : map.ranges) {
      EXPECT_EQ(range.flags, criu::kPresent);
      for (uint64_t page = 0; page < range.pages; ++page, at += kPageSize) {
        const size_t number = range.address / kPageSize + page;
        if (number < result.size()) result[number] = pages.at(at);
      }
    }
    EXPECT_EQ(at, pages.size());
    return result;
  }
  // Of the first pages.
  std::string content(uint64_t inode, size_t count) { return content(inode).substr(0, count); }

  Space space_;
  const test::Scratch directory_;
  std::optional<Precopy> precopy_;
};

TEST_F(SharedMemoryTest, HasWhatAnyOfItsProcessesHasWritten) {
  const Shared memory;
  Subject one(space_, {[&] { memory.fill(0, 550, 'a'); }, [&] { memory.fill(2, 2, 'b'); },
                       [&] { memory.fill(4, 1, 'c'); }});
  Subject other(space_, {[&] { memory.fill(545, 10, 'x'); }, [&] { memory.fill(3, 1, 'y'); }});
  one.work(0);
  start({one.pid(), other.pid()});
  one.work(1);
  other.work(0);
  precopy_->catch_up([] {});
  one.work(2);
  other.work(1);
  finish({one.pid(), other.pid()});
  const auto inode = memory.inode();
  EXPECT_EQ(content(inode, 6), "aabyca");
  EXPECT_EQ(content(inode).substr(543, 14), "aaxxxxxxxxxx--");
}

TEST_F(SharedMemoryTest, LooksOnlyAtWhatWasWritten) {
  const Shared memory;
  Subject one(space_, {[&] { memory.fill(0, 500, 'a'); }, [&] { memory.fill(3, 2, 'b'); }});
  Subject other(space_, {[&] { memory.fill(7, 1, 'c'); }});
  one.work(0);
  start({one.pid(), other.pid()});
  precopy_->catch_up([] {});
  one.work(1);
  other.work(0);
  finish({one.pid(), other.pid()});
  EXPECT_EQ(precopy_->shared()->looked_at_bytes(), 3 * kPageSize);
  EXPECT_EQ(content(memory.inode(), 9), "aaabbaaca");
}

TEST_F(SharedMemoryTest, HasWhatProcessesWriteThatCameAndWent) {
  const Shared memory;
  Subject one(space_, {[&] { memory.fill(0, 8, 'a'); },
                       [&] { in_passing([&] { memory.fill(1, 1, 'b'); }); }});
  one.work(0);
  start({one.pid()});
  precopy_->catch_up([] {});
  one.work(1);
  finish({one.pid()});
  EXPECT_EQ(content(memory.inode(), 4), "abaa");
}

TEST_F(SharedMemoryTest, HasWhatProcessesWroteThatHaveEnded) {
  const Shared memory;
  Subject one(space_, {[&] { memory.fill(0, 8, 'a'); }});
  Subject other(space_, {[&] { memory.fill(2, 1, 'c'); }});
  one.work(0);
  start({one.pid(), other.pid()});
  precopy_->catch_up([] {});
  other.work(0);
  finish({one.pid()});
  EXPECT_EQ(content(memory.inode(), 4), "aaca");
}

TEST_F(SharedMemoryTest, KnowsThatMappingsWereGivenBack) {
  const Shared memory;
  const auto anew = [&](size_t page, char value) {
    memory.fill(page, 1, value);
    // The one page table of all of it is gone after that as well.
    ::madvise(memory.at(0), kPages * kPageSize, MADV_DONTNEED);
  };
  Subject one(space_, {[&] { memory.fill(0, 8, 'a'); }, [&] { anew(1, 'b'); }});
  Subject other(space_, {[&] {
                  memory.fill(2, 1, 'c');
                  ::munmap(memory.at(0), kPages * kPageSize);
                }});
  one.work(0);
  start({one.pid(), other.pid()});
  precopy_->catch_up([] {});
  one.work(1);
  other.work(0);
  finish({one.pid(), other.pid()});
  EXPECT_EQ(content(memory.inode(), 5), "abcaa");
}

TEST_F(SharedMemoryTest, KnowsPagesThatWereCutOut) {
  const Shared memory;
  volatile char seen = 0;
  Subject one(space_, {[&] { memory.fill(0, 8, 'a'); },
                       [&] {
                         ::madvise(memory.at(2), 3 * kPageSize, MADV_REMOVE);
                         seen = *memory.at(3);  // a page of zeros from now on
                       }});
  one.work(0);
  start({one.pid()});
  precopy_->catch_up([] {});
  one.work(1);
  finish({one.pid()});
  EXPECT_EQ(content(memory.inode(), 7), (std::string{'a', 'a', '-', '\0', '-', 'a', 'a'}));
}

TEST_F(SharedMemoryTest, HasOnlyWhatIsMappedOfAnonymousMemory) {
  const Shared memory;
  Subject one(space_, {[&] {
                memory.fill(0, 20, 'a');
                ::munmap(memory.at(8), (kPages - 8) * kPageSize);
              }});
  one.work(0);
  start({one.pid()});
  precopy_->catch_up([] {});
  finish({one.pid()});
  EXPECT_EQ(content(memory.inode(), 10), "aaaaaaaa--");
}

TEST_F(SharedMemoryTest, HasFilesInMemoryAsTheyAreWritten) {
  const Fd file(::memfd_create("test", MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(file.get(), 10 * kPageSize - 5), 0);
  const Shared memory(0, file.get());
  const auto write_page = [&](off_t page) {
    return ::pwrite(file.get(), "w", 1, page * static_cast<off_t>(kPageSize));
  };
  Subject one(space_, {[&] { memory.fill(0, 4, 'a'); },
                       [&] {
                         write_page(1);
                         write_page(6);
                         *(memory.at(9) + kPageSize - 1) = 'e';  // behind the end
                       }});
  one.work(0);
  start({one.pid()});
  precopy_->catch_up([] {});
  one.work(1);
  finish({one.pid()});
  const auto inode = memory.inode();
  EXPECT_EQ(content(inode, 11), (std::string("awaa--w--") + '\0' + '-'));
  EXPECT_EQ(read_file(directory_.path() / "pages-7.img").back(), 'e');
}

TEST_F(SharedMemoryTest, HasFilesInMemoryThatNobodyHasMapped) {
  int number = -1;
  const Shared tell;
  Subject one(space_, {[&] {
                number = ::memfd_create("test", MFD_ALLOW_SEALING);
                const std::string content(3 * kPageSize, 's');
                ::ftruncate(number, 5 * kPageSize);
                if (::write(number, content.data(), content.size()) < 0) ::_exit(2);
                ::fcntl(number, F_ADD_SEALS, F_SEAL_WRITE);
                struct stat status{};
                ::fstat(number, &status);
                std::memcpy(tell.at(0), &status.st_ino, sizeof status.st_ino);
              }});
  one.work(0);
  uint64_t inode = 0;
  std::memcpy(&inode, tell.at(0), sizeof inode);
  start({one.pid()});
  precopy_->catch_up([] {});
  finish({one.pid()});
  EXPECT_EQ(content(inode, 6), "sss---");
}

TEST_F(SharedMemoryTest, HasSegmentsOfSystemVThatOthersAttachInPassing) {
  const int segment = ::shmget(IPC_PRIVATE, kPages * kPageSize, 0600);
  ASSERT_GE(segment, 0);
  const Shared memory(::shmat(segment, nullptr, 0));
  Subject one(space_, {[&] { memory.fill(0, 4, 'a'); }});
  Subject other(space_, {[&] {
                  auto* const attached = static_cast<char*>(::shmat(segment, nullptr, 0));
                  attached[2 * kPageSize] = 'b';
                  ::shmdt(attached);
                }});
  one.work(0);
  start({one.pid()});
  precopy_->catch_up([] {});
  other.work(0);
  finish({one.pid()});
  ::shmctl(segment, IPC_RMID, nullptr);
  EXPECT_EQ(content(static_cast<uint64_t>(segment), 5), "aaba-");
}

TEST_F(SharedMemoryTest, LeavesWhatCriuHasWritten) {
  const Shared memory;
  Subject one(space_, {[&] { memory.fill(0, 4, 'a'); }});
  one.work(0);
  start({one.pid()});
  precopy_->catch_up([] {});
  finish({one.pid()});
  const auto inode = memory.inode();
  const criu::PageRange by_criu{.address = 0, .pages = 4, .flags = criu::kPresent};
  criu::write_shared_page_map(directory_.path(), inode, {.pages_id = 8, .ranges = {by_criu}});
  EXPECT_EQ(precopy_->shared()->complete(directory_.path()), 0);
  EXPECT_FALSE(path_exists(directory_.path() / "pages-8.img"));
}

TEST(SharedFiles, KnowTheirPages) {
  const SharedFile file(Fd(::memfd_create("test", 0)));
  EXPECT_TRUE(file.pages().empty());
}

TEST(BirthsTest, ShowEveryProcessThatCame) {
  Space space;
  Subject one(space, {[] { in_passing([] {}); }, [] {}});
  Births births(one.pid());
  EXPECT_FALSE(births.none_since());
  for (int i = 0; i < 20; ++i) {
    one.work(1);
    EXPECT_TRUE(births.none_since());
    one.work(0);
    EXPECT_FALSE(births.none_since());
  }
}

}  // namespace
}  // namespace still::memory
