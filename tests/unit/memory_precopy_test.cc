// Memory that is copied while a process changes it. The process does what it is told, one thing
// after the other, and stands still in between.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <functional>

#include "base/format.h"
#include "criu/memory_images.h"
#include "memory/page_store.h"
#include "memory/precopy.h"
#include "memory/protection.h"
#include "memory/remote_memory.h"
#include "memory/tracer.h"
#include "os/files.h"
#include "support.h"
#include "told_process.h"

namespace still::memory {
namespace {

using criu::kPageSize;
using testing::ElementsAre;
using testing::IsEmpty;

// --- runs of pages
// ----------------------------------------------------------------------------------

std::vector<std::pair<uint64_t, uint64_t>> as_pairs(const std::vector<PageRun>& runs) {
  std::vector<std::pair<uint64_t, uint64_t>> pairs;
  for (const PageRun& run : runs) pairs.emplace_back(run.address / kPageSize, run.pages);
  return pairs;
}

PageRun run(uint64_t page, uint64_t pages) { return {.address = page * kPageSize, .pages = pages}; }

TEST(PageRuns, HaveCommonPages) {
  const std::vector<PageRun> some = {run(1, 4), run(10, 10), run(30, 1)};
  const std::vector<PageRun> others = {run(0, 2), run(3, 9), run(15, 1), run(18, 12)};
  EXPECT_THAT(as_pairs(common_pages(some, others)),
              ElementsAre(std::pair(1, 1), std::pair(3, 2), std::pair(10, 2), std::pair(15, 1),
                          std::pair(18, 2)));
  EXPECT_THAT(common_pages(some, {}), IsEmpty());
}

TEST(PageRuns, HaveWhatOthersLack) {
  const std::vector<PageRun> some = {run(1, 4), run(10, 10), run(30, 1)};
  const std::vector<PageRun> others = {run(0, 2), run(3, 1), run(12, 3), run(19, 20)};
  EXPECT_THAT(as_pairs(pages_without(some, others)),
              ElementsAre(std::pair(2, 1), std::pair(4, 1), std::pair(10, 2), std::pair(15, 4)));
  EXPECT_THAT(as_pairs(pages_without(some, {})), as_pairs(some));
}

TEST(PageRuns, AreUnited) {
  EXPECT_THAT(as_pairs(united({run(10, 2), run(1, 4), run(3, 1), run(4, 2), run(12, 1)})),
              ElementsAre(std::pair(1, 5), std::pair(10, 3)));
}

// --- the store
// --------------------------------------------------------------------------------------

class Pages {
 public:
  explicit Pages(size_t count) : size_(count * kPageSize) {
    void* const memory =
        ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory_ = static_cast<char*>(memory);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages() { ::munmap(memory_, size_); }

  char* at(size_t page) const { return memory_ + page * kPageSize; }
  void fill(size_t first, size_t count, char value) {
    std::memset(at(first), value, count * kPageSize);
  }
  PageRun pages(size_t first, size_t count) const {
    return {.address = reinterpret_cast<uint64_t>(at(first)), .pages = count};
  }
  size_t first_number() const { return reinterpret_cast<uint64_t>(memory_) / kPageSize; }

 private:
  const size_t size_;
  char* memory_ = nullptr;
};

class PageStoreTest : public testing::Test {
 protected:
  static constexpr size_t kCount = 1500;  // in more than one chunk, wherever it begins

  // The first byte of each page; '-' where none is stored.
  std::string content(size_t first, size_t count) const {
    std::string result;
    std::vector<std::byte> bytes(count * kPageSize);
    for (uint64_t done = 0; done < bytes.size();) {
      const int64_t got = store_.read(pages_.pages(first, 1).address + done, bytes.data() + done,
                                      bytes.size() - done);
      const auto size = static_cast<uint64_t>(got < 0 ? -got : got);
      for (uint64_t at = done; at < done + size; at += kPageSize) {
        result += got < 0 ? '-' : static_cast<char>(bytes[at]);
      }
      done += size;
    }
    return result;
  }
  Changes written(std::vector<PageRun> runs) const { return {.written = runs, .looked_at = runs}; }

  Pages pages_{kCount};
  const test::Scratch directory_;
  PageFile file_{directory_.path() / "pages"};
  PageStore store_{file_};
  const RemoteMemory memory_{::getpid()};
};

TEST_F(PageStoreTest, HasWhatWasCopiedLast) {
  pages_.fill(0, kCount, 'a');
  store_.copy(memory_, written({pages_.pages(0, kCount)}));
  EXPECT_EQ(content(0, kCount), std::string(kCount, 'a'));
  pages_.fill(700, 3, 'b');
  store_.copy(memory_, written({pages_.pages(700, 2)}));
  EXPECT_EQ(content(699, 5), "abbaa");
  EXPECT_EQ(store_.stored_bytes(), kCount * kPageSize);
}

TEST_F(PageStoreTest, HasQuickCopiesBeforeOthers) {
  Reserve reserve(64 * kPageSize);
  pages_.fill(0, 10, 'a');
  store_.copy(memory_, written({pages_.pages(0, 10)}));
  pages_.fill(2, 4, 'b');
  EXPECT_TRUE(store_.copy_quickly(memory_, written({pages_.pages(2, 4)}), reserve));
  pages_.fill(3, 1, 'c');
  pages_.fill(12, 1, 'c');
  const auto changes = written({pages_.pages(3, 1), pages_.pages(12, 1)});
  EXPECT_TRUE(store_.copy_quickly(memory_, changes, reserve));
  EXPECT_EQ(content(0, 14), "aabcbbaaaa--c-");
}

TEST_F(PageStoreTest, SaysWhenTheReserveIsUsedUp) {
  Reserve reserve(3 * kPageSize);
  pages_.fill(0, 10, 'a');
  EXPECT_TRUE(store_.copy_quickly(memory_, written({pages_.pages(0, 2)}), reserve));
  EXPECT_FALSE(store_.copy_quickly(memory_, written({pages_.pages(4, 2)}), reserve));
  EXPECT_FALSE(store_.copy_quickly(memory_, written({pages_.pages(8, 1)}), reserve));
}

TEST_F(PageStoreTest, ForgetsPagesThatAreGone) {
  pages_.fill(0, 10, 'a');
  store_.copy(memory_, written({pages_.pages(0, 10)}));
  // The last ones belong to a mapping that is far larger than what is stored.
  store_.copy(memory_,
              {.written = {}, .looked_at = {pages_.pages(2, 3), pages_.pages(7, 1UL << 30)}});
  EXPECT_EQ(content(0, 10), "aa---aa---");
  const size_t first = pages_.first_number();
  EXPECT_THAT(as_pairs(store_.stored()), ElementsAre(std::pair(first, 2), std::pair(first + 5, 2)));
}

TEST_F(PageStoreTest, HasNothingOfWhatCannotBeRead) {
  pages_.fill(0, 10, 'a');
  ::munmap(pages_.at(4), kPageSize);
  store_.copy(memory_, written({pages_.pages(0, 10)}));
  EXPECT_EQ(content(3, 1), "a");
  EXPECT_EQ(content(4, 1), "-");
  EXPECT_TRUE(memory_.read(pages_.pages(4, 1).address, nullptr, kPageSize));
}

// --- a process
// --------------------------------------------------------------------------------------

// It has pages, with which it works.
class Subject {
 public:
  using Work = std::function<void(Pages&)>;

  Subject(size_t pages, const std::vector<Work>& works)
      : pages_(pages), process_(on_pages(works)) {}

  pid_t pid() const { return process_.pid(); }
  const Pages& pages() const { return pages_; }
  void work(unsigned char number) { process_.work(number); }

 private:
  std::vector<test::ToldProcess::Work> on_pages(const std::vector<Work>& works) {
    std::vector<test::ToldProcess::Work> bound;
    for (const Work& work : works) bound.emplace_back([this, work] { work(pages_); });
    return bound;
  }

  Pages pages_;
  test::ToldProcess process_;
};

auto number_of_descriptors(const Subject& subject) {
  const auto directory = formatted("/proc/{}/fd", subject.pid());
  return std::ranges::distance(std::filesystem::directory_iterator(directory),
                               std::filesystem::directory_iterator());
}

class PrecopyTest : public testing::Test {
 protected:
  void start(Subject& subject) {
    precopy_.emplace(directory_.path());
    precopy_->start({subject.pid()}, [] {});
  }
  // As it stands now; the processes that are to be forked.
  std::vector<pid_t> finish(const Subject& subject) {
    precopy_->catch_up([] {});
    precopy_->begin_last({subject.pid()});
    return precopy_->end_last();
  }
  // The first byte of each page; '-' where the images are to have none.
  std::string content(const Subject& subject, size_t first, size_t count) {
    criu::write_page_map(directory_.path(), subject.pid(), {.pages_id = 1, .ranges = {}});
    precopy_->list_pages(directory_.path());
    const auto map = criu::read_page_map(directory_.path(), subject.pid());
    const auto snapshots = precopy_->snapshots({});
    std::string result;
    for (size_t page = first; page < first + count; ++page) {
      const uint64_t address = subject.pages().pages(page, 1).address;
      const bool is_listed = std::ranges::any_of(map.ranges, [&](const criu::PageRange& range) {
        return address >= range.address && address < range.end();
      });
      std::byte bytes[kPageSize];
      if (is_listed) snapshots.at(0)->read(address, bytes, sizeof bytes);
      result += is_listed ? static_cast<char>(bytes[0]) : '-';
    }
    return result;
  }

  const test::Scratch directory_;
  std::optional<Precopy> precopy_;
};

TEST_F(PrecopyTest, HasWhatTheProcessHasAtLast) {
  Subject subject(3000, {[](Pages& pages) { pages.fill(0, 2000, 'a'); },
                         [](Pages& pages) {
                           pages.fill(0, 10, 'b');
                           pages.fill(1990, 20, 'b');
                         },
                         [](Pages& pages) { pages.fill(5, 1, 'c'); }});
  subject.work(0);
  start(subject);
  subject.work(1);
  precopy_->catch_up([] {});
  subject.work(2);
  EXPECT_THAT(finish(subject), IsEmpty());
  EXPECT_EQ(content(subject, 0, 12), "bbbbbcbbbbaa");
  EXPECT_EQ(content(subject, 1988, 24), "aa" + std::string(20, 'b') + "--");
}

TEST_F(PrecopyTest, KnowsMemoryThatWasGivenBackMappedAnewMovedOrForbidden) {
  Subject subject(100, {[](Pages& pages) { pages.fill(0, 80, 'a'); },
                        [](Pages& pages) {
                          ::madvise(pages.at(2), 2 * kPageSize, MADV_DONTNEED);
                          ::madvise(pages.at(6), 2 * kPageSize, MADV_DONTNEED);
                          const char zero =
                              *static_cast<volatile char*>(pages.at(6));  // the page of zeros
                          pages.fill(7, 1, static_cast<char>('b' + zero));
                          constexpr int kAnew = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
                          ::mmap(pages.at(10), 4 * kPageSize, PROT_READ | PROT_WRITE, kAnew, -1, 0);
                          pages.fill(11, 1, 'c');
                          pages.fill(20, 2, 'd');
                          ::mremap(pages.at(20), 2 * kPageSize, 2 * kPageSize,
                                   MREMAP_MAYMOVE | MREMAP_FIXED, pages.at(90));
                          ::mprotect(pages.at(30), 2 * kPageSize, PROT_NONE);
                          ::munmap(pages.at(40), 2 * kPageSize);
                        }});
  subject.work(0);
  start(subject);
  subject.work(1);
  EXPECT_THAT(finish(subject), IsEmpty());
  EXPECT_EQ(content(subject, 0, 14), "aa--aa-baa-c--");
  EXPECT_EQ(content(subject, 18, 6), "aa--aa");
  EXPECT_EQ(content(subject, 88, 6), "--dd--");
  EXPECT_EQ(content(subject, 29, 4), "aaaa");
  EXPECT_EQ(content(subject, 39, 4), "a--a");
}

TEST_F(PrecopyTest, KnowsPagesOfFilesThatAreNotTheFilesAnyMore) {
  const auto file = directory_.path() / "file";
  write_file_atomically(file, std::string(8 * kPageSize, 'f'), 0600);
  const Fd mapped = open_file(file, O_RDONLY);
  const auto map = [&mapped](Pages& pages) {
    ::mmap(pages.at(0), 8 * kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
           mapped.get(), 0);
    pages.fill(1, 4, 'a');
  };
  Subject subject(8, {map, [](Pages& pages) {
                        ::madvise(pages.at(2), kPageSize, MADV_DONTNEED);
                        pages.fill(6, 1, 'b');
                      }});
  subject.work(0);
  start(subject);
  subject.work(1);
  EXPECT_THAT(finish(subject), IsEmpty());
  EXPECT_EQ(content(subject, 0, 8), "-a-aa-b-");
}

TEST_F(PrecopyTest, LeavesProcessesThatWriteTooMuchToForks) {
  constexpr size_t kMany = 20'000;  // 80 MiB
  Subject subject(kMany, {[](Pages& pages) { pages.fill(0, kMany, 'a'); },
                          [](Pages& pages) { pages.fill(0, kMany, 'b'); }});
  subject.work(0);
  start(subject);
  precopy_->catch_up([] {});
  subject.work(1);
  precopy_->begin_last({subject.pid()});
  EXPECT_THAT(precopy_->end_last(), ElementsAre(subject.pid()));
}

TEST_F(PrecopyTest, LeavesProcessesThatCameLaterToForks) {
  Subject one(10, {[](Pages& pages) { pages.fill(0, 5, 'a'); }});
  one.work(0);
  start(one);
  precopy_->catch_up([] {});
  const Subject other(10, {});
  precopy_->begin_last({one.pid(), other.pid()});
  EXPECT_THAT(precopy_->end_last(), ElementsAre(other.pid()));
  criu::write_page_map(directory_.path(), other.pid(), {.pages_id = 2, .ranges = {}});
  EXPECT_EQ(content(one, 0, 6), "aaaaa-");
}

// A device writes to its pages, and no page table notes that.
TEST_F(PrecopyTest, LeavesProcessesThatReadDirectlyToForks) {
  const test::Scratch files;
  write_file_atomically(files.path() / "file", "content", 0600);
  const std::string file = files.path() / "file";
  const auto open_directly = [&](Pages& pages) {
    pages.fill(0, 1, ::open(file.c_str(), O_RDONLY | O_DIRECT) < 0 ? 'x' : 'a');
  };
  Subject ever(10, {open_directly});
  Subject never(10, {[](Pages& pages) { pages.fill(0, 5, 'a'); }});
  ever.work(0);
  never.work(0);
  precopy_.emplace(directory_.path());
  precopy_->start({ever.pid(), never.pid()}, [] {});
  precopy_->catch_up([] {});
  precopy_->begin_last({ever.pid(), never.pid()});
  EXPECT_THAT(precopy_->end_last(), ElementsAre(ever.pid()));
  // Nothing is used of what was copied before.
  std::byte byte{};
  for (const auto& snapshot : precopy_->snapshots({})) {
    const bool is_direct = snapshot->process() == ever.pid();
    const Pages& pages = is_direct ? ever.pages() : never.pages();
    const auto read = [&] { snapshot->read(pages.pages(0, 1).address, &byte, 1); };
    if (is_direct) {
      EXPECT_THROW(read(), Error);
    } else {
      EXPECT_NO_THROW(read());
    }
  }
}

// Somebody has killed it; what is frozen can be killed.
TEST_F(PrecopyTest, LeavesOutProcessesThatHaveEnded) {
  Subject one(10, {[](Pages& pages) { pages.fill(0, 5, 'a'); }});
  one.work(0);
  start(one);
  precopy_->catch_up([] {});
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(gone, nullptr, 0), gone);
  precopy_->begin_last({one.pid(), gone});
  EXPECT_THAT(precopy_->end_last(), IsEmpty());
  EXPECT_EQ(content(one, 0, 6), "aaaaa-");
}

TEST_F(PrecopyTest, LeavesNothingInTheProcess) {
  Subject subject(10, {[](Pages& pages) { pages.fill(0, 5, 'a'); }});
  subject.work(0);
  const auto maps = [&] { return read_file(formatted("/proc/{}/maps", subject.pid())); };
  const auto is_protected = [&] {
    return read_file(formatted("/proc/{}/smaps", subject.pid())).contains(" uw");
  };
  const auto before = number_of_descriptors(subject);
  const std::string maps_before = maps();
  start(subject);
  EXPECT_TRUE(is_protected());
  EXPECT_EQ(number_of_descriptors(subject), before);
  EXPECT_EQ(maps(), maps_before);
  subject.work(0);
  precopy_->release();
  EXPECT_FALSE(is_protected());
  EXPECT_EQ(maps(), maps_before);
}

// At whatever instruction whoever protects it dies: it goes on, and has no descriptor more.
TEST_F(PrecopyTest, LeavesNothingWhenWhoeverProtectsIsKilled) {
  Subject subject(10, {[](Pages& pages) { pages.fill(0, 5, 'a'); }});
  const auto has_its_own_descriptors = [&, before = number_of_descriptors(subject)] {
    for (int i = 0; i < 1000 && number_of_descriptors(subject) != before; ++i) ::usleep(1000);
    return number_of_descriptors(subject) == before;
  };
  int killed = 0;
  for (int round = 0; round < 200; ++round) {
    const pid_t other = ::fork();
    if (other == 0) {
      Landings landings;
      for (;;) Tracer().run([&] { Protection::open(subject.pid(), landings); });
    }
    ::usleep(static_cast<useconds_t>(1000 + round * 37 % 3000));
    ::kill(other, SIGKILL);
    int status = 0;
    ::waitpid(other, &status, 0);
    if (WIFSIGNALED(status)) ++killed;
    ASSERT_TRUE(has_its_own_descriptors());
    subject.work(0);
  }
  EXPECT_GT(killed, 190);
}

}  // namespace
}  // namespace still::memory
