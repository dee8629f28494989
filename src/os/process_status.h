// What the kernel says of a process or a thread in /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace still {

// A field of /proc/PID/status (proc_pid_status(5)), "TracerPid", without the white space around it;
// for threads, too. nullopt if there is no such process or no such field. Throws Error(kSystem).
std::optional<std::string> process_status_field(pid_t pid, std::string_view name);
// The process that traces it (ptrace(2)); 0: none, or there is no such process. For threads, too.
// Throws Error(kSystem).
pid_t tracer_of(pid_t pid);

// A field of a text that has been read.
std::optional<std::string> status_field(std::string_view status, std::string_view name);

// Of /proc/PID/stat (proc_pid_stat(5)).
struct ProcessStat {
  char state = 0;  // "Z": a zombie, "X": gone
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  int64_t terminal = 0;     // the controlling terminal's device number; 0: none
  uint64_t flags = 0;       // PF_* of the kernel's linux/sched.h
  int64_t threads = 0;      // of the process; 0 once it has been collected
  uint64_t start_time = 0;  // clock ticks since boot
  int64_t exit_signal = 0;  // 0: its parent is not told of its end

  // A process whose main thread has ended is a zombie, too, but lives on in its other threads.
  bool main_thread_has_ended() const { return state == 'Z' && threads > 1; }
  bool has_ended() const { return state == 'X' || (state == 'Z' && threads <= 1); }
  // Whether it executes no instruction of its own any more; it can still wait for others in there.
  bool is_ending() const;
};
// nullopt if there is none. Throws Error(kSystem).
std::optional<ProcessStat> process_stat(pid_t pid);

}  // namespace still
