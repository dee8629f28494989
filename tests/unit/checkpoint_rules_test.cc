#include <gtest/gtest.h>

#include "checkpoint/own_rules.h"

namespace still::checkpoint {
namespace {

constexpr const char* kNoPersonality = "00000000\n";

TEST(OwnRules, MostProcessesHaveNone) {
  EXPECT_EQ(rule_of_its_own("Name:\tsh\nuntag_mask:\t0xffffffffffffffff\n"
                            "x86_Thread_features:\t\nx86_Thread_features_locked:\t\n",
                            kNoPersonality),
            "");
  // Older kernels, and a process that has ended.
  EXPECT_EQ(rule_of_its_own("Name:\tsh\n", kNoPersonality), "");
  EXPECT_EQ(rule_of_its_own("", ""), "");
}

TEST(OwnRules, AreFoundInWhatTheKernelSays) {
  EXPECT_EQ(rule_of_its_own("x86_Thread_features:\tshstk wrss \n", kNoPersonality),
            "a shadow stack");
  EXPECT_EQ(rule_of_its_own("untag_mask:\t0x81ffffffffffffff\n", kNoPersonality),
            "tagged addresses");
  EXPECT_EQ(rule_of_its_own("Name:\tsh\n", "00440000\n"), "a personality of its own (00440000)");
}

}  // namespace
}  // namespace still::checkpoint
