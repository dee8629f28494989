#include <gtest/gtest.h>

#include "checkpoint/address_space.h"
#include "checkpoint/descriptors.h"

namespace still::checkpoint {
namespace {

TEST(Descriptors, OfEveryDayAreDumped) {
  const std::string plain = "pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t4711\n";
  for (const char* target : {"/etc/passwd", "pipe:[12]", "socket:[13]", "anon_inode:[eventpoll]",
                             "anon_inode:inotify", "anon_inode:[timerfd]", "anon_inode:[signalfd]",
                             "anon_inode:[eventfd]", "anon_inode:[pidfd]", "pidfd:[14]", ""}) {
    EXPECT_EQ(undumpable_kind(target, plain), "") << target;
  }
  EXPECT_EQ(undumpable_kind("anon_inode:[eventfd]", "eventfd-count: 2\neventfd-semaphore: 0\n"),
            "");
  EXPECT_EQ(undumpable_kind("anon_inode:[eventfd]", ""), "");  // it has been closed meanwhile
}

TEST(Descriptors, ThatAreNotDumpedAreNamed) {
  EXPECT_EQ(undumpable_kind("anon_inode:[io_uring]", ""), "an io_uring");
  EXPECT_EQ(undumpable_kind("anon_inode:[userfaultfd]", ""), "a userfaultfd");
  EXPECT_EQ(undumpable_kind("anon_inode:bpf-map", ""), "a descriptor of the kind bpf-map");
  EXPECT_EQ(undumpable_kind("anon_inode:[\n]", ""), "a descriptor of the kind [\\n]");
  EXPECT_EQ(undumpable_kind("anon_inode:[eventfd]", "eventfd-semaphore: 1\n"),
            "an eventfd that is a semaphore");
  EXPECT_EQ(undumpable_kind("pipe:[12]", "pos:\t0\nflags:\t040001\n"), "a pipe in packet mode");
  EXPECT_EQ(undumpable_kind("pidfd:[12]", "flags:\t02000202\n"), "a pidfd of a thread");
  EXPECT_EQ(undumpable_kind("anon_inode:[pidfd]", "flags:\t02000202\n"), "a pidfd of a thread");
}

TEST(Descriptors, SocketsAreKnownByTheirProtocol) {
  for (const char* protocol : {"TCP", "TCPv6", "UDP", "UNIX", "UNIX-STREAM", "NETLINK", ""}) {
    EXPECT_EQ(undumpable_protocol(protocol), "") << protocol;
  }
  EXPECT_EQ(undumpable_protocol("AF_VSOCK"), "a socket of the kind AF_VSOCK");
  EXPECT_EQ(undumpable_protocol("MPTCPv6"), "a socket of the kind MPTCPv6");
}

TEST(Descriptors, PermissionsAreAmongTheEventsOfAMark) {
  EXPECT_FALSE(gives_permissions("fanotify inode ino:1 sdev:2 mflags:0 mask:20 ignored_mask:0"));
  EXPECT_TRUE(gives_permissions("fanotify ino:1 mask:20\nfanotify ino:2 mask:10000\n"));
  EXPECT_FALSE(gives_permissions(""));
}

TEST(Limits, AreTheSoftOnes) {
  const std::string limits =
      "Limit                     Soft Limit           Hard Limit           Units     \n"
      "Max open files            1024                 524288               files     \n"
      "Max address space         unlimited            unlimited            bytes     \n";
  EXPECT_EQ(soft_limit(limits, "Max open files"), 1024U);
  EXPECT_EQ(soft_limit(limits, "Max address space"), UINT64_MAX);
  EXPECT_EQ(soft_limit(limits, "Max nonsense"), UINT64_MAX);
  EXPECT_EQ(soft_limit("", "Max open files"), UINT64_MAX);
}

}  // namespace
}  // namespace still::checkpoint
