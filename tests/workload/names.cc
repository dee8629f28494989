// Has files open and mapped whose name of that time is gone, while they have others, and a POSIX
// semaphore that two processes share, which is such a file.
//
// names DIRECTORY... [--removed FILE]: in each directory, and in one beside it. The file is
// removed, and has no other name. SIGTERM: it looks whether all is what it was, and ends. Exit
// codes: 0 fine, 3 not so.

#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

constexpr int kFine = 0, kUsage = 2, kHarmed = 3, kFailed = 4;
constexpr size_t kSize = 8192;

int g_harmed = 0;

void expect(bool is_so, const std::string& what) {
  if (is_so) return;
  std::printf("names: HARMED: %s\n", what.c_str());
  ++g_harmed;
}

void must(bool is_so, const std::string& what) {
  if (is_so) return;
  std::perror(what.c_str());
  _exit(kFailed);
}

// A file under a second name, open and mapped since it had the first one.
class Renamed {
 public:
  Renamed(const std::string& first, std::string second) : second_(std::move(second)) {
    file_ = open(first.c_str(), O_RDWR | O_CREAT | O_EXCL, 0640);
    must(file_ >= 0 && ftruncate(file_, kSize) == 0, first);
    void* memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    must(memory != MAP_FAILED, first);
    memory_ = static_cast<char*>(memory);
    std::strcpy(memory_, "as it was");
    must(lseek(file_, 7, SEEK_SET) == 7, first);
    must(link(first.c_str(), second_.c_str()) == 0 && unlink(first.c_str()) == 0, second_);
  }

  void check() const {
    struct stat by_descriptor{}, by_name{};
    expect(fstat(file_, &by_descriptor) == 0 && stat(second_.c_str(), &by_name) == 0,
           second_ + " is gone");
    expect(by_descriptor.st_ino == by_name.st_ino && by_descriptor.st_dev == by_name.st_dev,
           second_ + " is another file");
    expect(by_name.st_nlink == 1, second_ + " has other names");
    expect(lseek(file_, 0, SEEK_CUR) == 7, second_ + ": another position");
    expect(std::strcmp(memory_, "as it was") == 0, second_ + ": other content");
    std::strcpy(memory_, "changed");
    char text[16] = {};
    const int again = open(second_.c_str(), O_RDONLY);
    expect(read(again, text, sizeof text) > 0 && std::strcmp(text, "changed") == 0,
           second_ + ": a change of the memory is not in the file");
    close(again);
  }

 private:
  const std::string second_;
  int file_ = -1;
  char* memory_ = nullptr;
};

// A file that is removed, still open and mapped.
class Removed {
 public:
  explicit Removed(const std::string& name) : name_(name) {
    file_ = open(name.c_str(), O_RDONLY);
    must(file_ >= 0 && fstat(file_, &status_) == 0, name);
    content_ = read_all();
    void* memory = mmap(nullptr, content_.size(), PROT_READ, MAP_PRIVATE, file_, 0);
    must(memory != MAP_FAILED, name);
    memory_ = static_cast<const char*>(memory);
    must(unlink(name.c_str()) == 0, name);
  }

  void check() const {
    expect(read_all() == content_, name_ + ": other content");
    expect(std::memcmp(memory_, content_.data(), content_.size()) == 0, name_ + ": other memory");
    expect(access(name_.c_str(), F_OK) != 0, name_ + " is back");
  }

 private:
  std::string read_all() const {
    std::string content(static_cast<size_t>(status_.st_size), '\0');
    must(pread(file_, content.data(), content.size(), 0) == status_.st_size, name_);
    return content;
  }

  const std::string name_;
  int file_ = -1;
  struct stat status_{};
  std::string content_;
  const char* memory_ = nullptr;
};

sem_t* semaphore(int flags) {
  sem_t* found = sem_open("/work", flags, 0600, 0);
  must(found != SEM_FAILED, "sem_open");
  return found;
}

// Waits for the first semaphore and answers by it, again and again.
[[noreturn]] void answer(sem_t* asked, sem_t* answered) {
  for (;;) {
    while (sem_wait(asked) != 0) {
    }
    sem_post(answered);
  }
}

bool is_answered(sem_t* asked, sem_t* answered) {
  timespec end{};
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 5;
  return sem_post(asked) == 0 && sem_timedwait(answered, &end) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return kUsage;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  sigprocmask(SIG_BLOCK, &end, nullptr);

  sem_t* asked = semaphore(O_CREAT);
  sem_t* answered = sem_open("/answer", O_CREAT, 0600, 0);
  const pid_t child = fork();
  // By its name now, while its parent has it by the one that is gone.
  if (child == 0) {
    sem_close(asked);
    answer(semaphore(0), answered);
  }
  std::vector<Renamed> renamed;
  std::vector<Removed> removed;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--removed") == 0 && i + 1 < argc) {
      removed.emplace_back(argv[++i]);
      continue;
    }
    const std::string directory = argv[i];
    mkdir((directory + "/gone").c_str(), 0700);
    mkdir((directory + "/other").c_str(), 0700);
    renamed.emplace_back(directory + "/first", directory + "/second");
    renamed.emplace_back(directory + "/gone/first", directory + "/other/third");
    must(rmdir((directory + "/gone").c_str()) == 0, directory);
  }
  expect(is_answered(asked, answered), "the semaphore does not work");
  std::puts("names: ready");
  int signal = 0;
  sigwait(&end, &signal);

  expect(is_answered(asked, answered), "the semaphore is not the one of the other process");
  for (const Renamed& file : renamed) file.check();
  for (const Removed& file : removed) file.check();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  std::printf("names: harmed=%d\n", g_harmed);
  return g_harmed == 0 ? kFine : kHarmed;
}
