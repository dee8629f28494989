// Finding code for system calls in machine code.
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>

#include "memory/landing.h"

namespace still::memory {
namespace {

std::optional<int64_t> slot_after(const std::vector<unsigned char>& code) {
  return return_slot(code);
}

TEST(Landing, AReturnAtOnceUsesTheTopOfTheStack) { EXPECT_EQ(slot_after({0xc3, 0x90}), 0); }

TEST(Landing, WhatIsTakenOffTheStackBeforeCounts) {
  EXPECT_EQ(slot_after({0x5b, 0x41, 0x5c, 0xc3, 0x90}), 16);        // pop rbx; pop r12
  EXPECT_EQ(slot_after({0x48, 0x83, 0xc4, 0x18, 0xc3, 0x90}), 24);  // add $24, rsp
}

TEST(Landing, AFrameThatIsLeftCountsFromItsBase) {
  EXPECT_EQ(slot_after({0xc9, 0xc3, 0x90}), 8);  // leave
  // lea -16(rbp), rsp; pop rbx; pop r12; pop rbp, as in the vDSO
  EXPECT_EQ(slot_after({0x48, 0x8d, 0x65, 0xf0, 0x5b, 0x41, 0x5c, 0x5d, 0xc3, 0x90}), 8);
}

TEST(Landing, RegistersMayBeClearedOnTheWay) {
  EXPECT_EQ(slot_after({0x5d, 0x31, 0xd2, 0x45, 0x31, 0xc0, 0xc3, 0x90}), 8);
}

TEST(Landing, OtherCodeIsNoWay) {
  EXPECT_FALSE(slot_after({}));
  EXPECT_FALSE(slot_after({0x5b, 0x5b}));                    // the end of what can be read
  EXPECT_FALSE(slot_after({0xe8, 0, 0, 0, 0, 0xc3, 0x90}));  // call
  EXPECT_FALSE(slot_after({0x31, 0xe4, 0xc3, 0x90}));        // clears rsp
  EXPECT_FALSE(slot_after({0x5d, 0xc9, 0xc3, 0x90}));        // leave, the base being gone
  EXPECT_FALSE(slot_after({0x5c, 0xc3, 0x90}));              // pop rsp
}

TEST(Landing, IsFoundInAProcessThatUsesACLibrary) {
  Landings landings;
  const auto map = read_address_map(::getpid());
  const auto found = landings.find(::getpid(), map);
  ASSERT_TRUE(found);
  const auto* call = reinterpret_cast<const unsigned char*>(found->system_call);
  EXPECT_THAT(std::vector(call, call + 2), testing::ElementsAre(0x0f, 0x05));
  EXPECT_EQ(return_slot({call + 2, 64}), found->return_slot);
  const auto again = landings.find(::getpid(), map);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->system_call, found->system_call);
}

TEST(Landing, IsNowhereWithoutCode) {
  Landings landings;
  AddressMap map = read_address_map(::getpid());
  map.code.clear();
  EXPECT_FALSE(landings.find(::getpid(), map));
}

TEST(AddressMap, KnowsThePrivateMemoryThatCanBeWritten) {
  constexpr size_t kSize = 8192;
  void* memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  const auto address = reinterpret_cast<uint64_t>(memory);
  EXPECT_TRUE(read_address_map(::getpid()).writable_start(address + 10));
  ASSERT_EQ(::mprotect(memory, kSize, PROT_READ), 0);
  EXPECT_FALSE(read_address_map(::getpid()).writable_start(address + 10));
  ::munmap(memory, kSize);
  int on_stack = 0;
  const auto map = read_address_map(::getpid());
  EXPECT_TRUE(map.writable_start(reinterpret_cast<uint64_t>(&on_stack)));
  EXPECT_LT(map.stack_start, map.stack_end);
}

}  // namespace
}  // namespace still::memory
