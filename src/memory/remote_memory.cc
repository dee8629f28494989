#include "memory/remote_memory.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>

#include "base/format.h"
#include "os/files.h"

namespace still::memory {

RemoteMemory::RemoteMemory(pid_t process)
    : process_(process), memory_(open_file(formatted("/proc/{}/mem", process), O_RDONLY)) {}

std::optional<PageSource::Failure> RemoteMemory::read(uint64_t address, std::byte* to,
                                                      size_t size) const {
  const iovec here{to, size};
  const iovec there{std::bit_cast<void*>(address), size};
  const ssize_t quick = ::process_vm_readv(process_, &here, 1, &there, 1, 0);
  for (size_t done = quick > 0 ? static_cast<size_t>(quick) : 0; done < size;) {
    const ssize_t got =
        ::pread(memory_.get(), to + done, size - done, static_cast<off_t>(address + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Failure{.address = address + done, .number = got < 0 ? errno : ESRCH};
    done += static_cast<size_t>(got);
  }
  return std::nullopt;
}

bool RemoteMemory::read(std::span<const PageRun> runs, std::byte* to) const {
  std::array<iovec, kMostRuns> there;
  for (size_t i = 0; i < runs.size(); ++i) {
    there[i] = {std::bit_cast<void*>(runs[i].address), runs[i].bytes()};
  }
  const iovec here{to, total_bytes(runs)};
  return ::process_vm_readv(process_, &here, 1, there.data(), runs.size(), 0) ==
         static_cast<ssize_t>(here.iov_len);
}

}  // namespace still::memory
