// What the parts of the library that is preloaded into CRIU share. It may use the C library alone.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

// A function of the C library's in whose place CRIU finds ours.
#define EXPORTED extern "C" __attribute__((visibility("default")))

inline constexpr size_t kPathSize = 512;

// clean_memory.cc: the path in the place of one of CRIU's knowledge of the kernel, in buffer; path
// itself for every other.
const char* knowledge_path(const char* path, char (&buffer)[kPathSize]);

// freeze_gate.cc: returns when CRIU may open the file. False: it must not, and errno says so.
bool pass_freeze_gate(const char* path);

// --- ioctl.cc asks these
// ---------------------------------------------------------------------------------

// deleted_files.cc: whether CRIU finds no data in the file, because others copy it.
bool is_copied_by_others(int file);
// shared_memory.cc: the same of memory that processes share, which is a file to CRIU.
bool is_shared_memory_of_others(int file);
// no_pages.cc: whether the question for pages is answered, with none.
bool hides_pages(unsigned long request, void* argument);

// --- file_list.cc
// ---------------------------------------------------------------------------------

// Files that others copy: a line "DEVICE INODE\n" for each, in a file that is there before the
// first question.
class FileList {
 public:
  // variable: of the environment, with the path of the list; not set: no file is in it.
  explicit constexpr FileList(const char* variable) : variable_(variable) {}
  // The line of a file without a name that is in the list; null: it is not.
  const char* find(int file);

 private:
  const char* read();

  const char* const variable_;
  bool is_read_ = false;
  char text_[size_t{64} << 10] = {};
  char line_[64] = {};
};

// --- deadline.cc
// ---------------------------------------------------------------------------------

// From here on CRIU may hold the container, until the deadline (CLOCK_MONOTONIC, nanoseconds) or
// until the other end of the gate's connection, a socket that is given away, is closed.
void hold_until(int gate, int64_t deadline);
// Whether CRIU may seize one more task. False: it must not, and errno says so.
bool may_seize();
// CRIU is about to change memory or registers of a task.
void tasks_are_changed();
// CRIU has to end what it is doing, and undo it.
void give_up();

// --- dispatch.cc
// ---------------------------------------------------------------------------------

// Of a thread that is stopped: whether it can be had make system calls. False: one would end it,
// and that has been told.
bool bears_system_calls(pid_t thread);

// --- terminals.cc
// --------------------------------------------------------------------------------

// Whether CRIU may read a piece of that size from the file. False: it must not, and errno says so.
bool may_read_terminal(int file, size_t size);

// --- leases.cc
// -----------------------------------------------------------------------------------

// A descriptor for CRIU in place of one that it would get by opening a file of its own once more
// (directory: /proc/self, path: "fd/7"). Negative: there is none; with errno 0 CRIU may open it.
int instead_of_opening(int directory, const char* path, int flags);
