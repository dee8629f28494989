// Numbers in CRIU's images (images/*.proto of CRIU 4.1.1). Internal to criu/.
#pragma once

#include <cstdint>

namespace still::criu {

enum TaskState : uint32_t { kDead = 2, kZombie = 6 };
enum FileType : uint32_t {
  kRegular = 1,
  kPipe = 2,
  kFifo = 3,
  kInternetSocket = 4,
  kUnixSocket = 5,
  kEventCounter = 6,
  kEventPoll = 7,
  kInotify = 8,
  kSignals = 9,
  kPacketSocket = 10,
  kTerminal = 11,
  kFanotify = 12,
  kNetlinkSocket = 13,
  kNamespace = 14,
  kTunnel = 15,
  kExternal = 16,
  kTimer = 17,
  kMemory = 18,
  kBpfMap = 19,
  kProcess = 20
};

enum FsType : uint32_t {
  kProc = 1,
  kSysfs = 2,
  kTmpfs = 5,
  kDevpts = 6,
  kCgroup = 12,
  kMqueue = 14,
  kCgroup2 = 23
};

}  // namespace still::criu
