#include <gtest/gtest.h>

#include <csignal>

#include "checkpoint/own_rules.h"

namespace still::checkpoint {
namespace {

constexpr const char* kNoPersonality = "00000000\n";

TEST(OwnRules, MostProcessesHaveNone) {
  EXPECT_EQ(rule_of_its_own("Name:\tsh\nuntag_mask:\t0xffffffffffffffff\n"
                            "x86_Thread_features:\t\nx86_Thread_features_locked:\t\n",
                            kNoPersonality, SIGCHLD),
            "");
  // Older kernels, and a process that has ended.
  EXPECT_EQ(rule_of_its_own("Name:\tsh\n", kNoPersonality, SIGCHLD), "");
  EXPECT_EQ(rule_of_its_own("", "", SIGCHLD), "");
  EXPECT_EQ(rule_of_its_own("Name:\tsh\n", kNoPersonality, -1), "");
}

TEST(OwnRules, AreFoundInWhatTheKernelSays) {
  EXPECT_EQ(rule_of_its_own("x86_Thread_features:\tshstk wrss \n", kNoPersonality, SIGCHLD),
            "a shadow stack");
  EXPECT_EQ(rule_of_its_own("untag_mask:\t0x81ffffffffffffff\n", kNoPersonality, SIGCHLD),
            "tagged addresses");
  EXPECT_EQ(rule_of_its_own("Name:\tsh\n", "00440000\n", SIGCHLD),
            "a personality of its own (00440000)");
  EXPECT_EQ(rule_of_its_own("Name:\tsh\n", kNoPersonality, SIGUSR1),
            "another signal for its end than SIGCHLD (10)");
}

}  // namespace
}  // namespace still::checkpoint
