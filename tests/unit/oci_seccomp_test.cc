// Translating seccomp profiles of containers-common into what runtimes take.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "oci/capabilities.h"
#include "oci/seccomp.h"
#include "oci/spec.h"
#include "support.h"

namespace still::oci {
namespace {

using nlohmann::json;
using test::kind_thrown_by;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;

// A profile with one rule, which allows "call" under these conditions.
json profile(const json& includes, const json& excludes) {
  return {{"defaultAction", "SCMP_ACT_ERRNO"},
          {"defaultErrnoRet", 38},
          {"archMap",
           {{{"architecture", "SCMP_ARCH_X86_64"},
             {"subArchitectures", {"SCMP_ARCH_X86", "SCMP_ARCH_X32"}}},
            {{"architecture", "SCMP_ARCH_AARCH64"}, {"subArchitectures", {"SCMP_ARCH_ARM"}}}}},
          {"syscalls",
           {{{"names", {"call"}},
             {"action", "SCMP_ACT_ALLOW"},
             {"args", json::array()},
             {"comment", ""},
             {"includes", includes},
             {"excludes", excludes}}}}};
}

bool holds(const json& includes, const json& excludes, const std::vector<std::string>& capabilities,
           const std::string& machine = "x86_64") {
  const auto filter = translate_seccomp(profile(includes, excludes).dump(), capabilities, machine);
  return !filter["syscalls"].empty();
}

TEST(Seccomp, DefaultAndArchitecturesAreTaken) {
  const auto filter =
      translate_seccomp(profile(json::object(), json::object()).dump(), {}, "x86_64");
  EXPECT_EQ(filter["defaultAction"], "SCMP_ACT_ERRNO");
  EXPECT_EQ(filter["defaultErrnoRet"], 38);
  EXPECT_THAT(filter["architectures"],
              ElementsAre("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"));
  EXPECT_EQ(filter["syscalls"], json::array({{{"names", {"call"}}, {"action", "SCMP_ACT_ALLOW"}}}));
}

TEST(Seccomp, AnArchitectureWithoutMapStandsAlone) {
  const auto text = profile(json::object(), json::object()).dump();
  EXPECT_THAT(translate_seccomp(text, {}, "riscv64")["architectures"],
              ElementsAre("SCMP_ARCH_RISCV64"));
  EXPECT_FALSE(translate_seccomp(text, {}, "unheard-of").contains("architectures"));
}

TEST(Seccomp, RulesCanNeedCapabilities) {
  const json caps = {{"caps", {"CAP_A", "CAP_B"}}};
  EXPECT_TRUE(holds(caps, json::object(), {"CAP_A", "CAP_B", "CAP_C"}));
  EXPECT_FALSE(holds(caps, json::object(), {"CAP_A"}));
  EXPECT_FALSE(holds(json::object(), caps, {"CAP_A"}));
  EXPECT_TRUE(holds(json::object(), caps, {"CAP_C"}));
  EXPECT_TRUE(holds(nullptr, nullptr, {}));
}

TEST(Seccomp, RulesCanNeedArchitectures) {
  const json arches = {{"arches", {"amd64", "x32"}}};
  EXPECT_TRUE(holds(arches, json::object(), {}));
  EXPECT_FALSE(holds(arches, json::object(), {}, "aarch64"));
  EXPECT_FALSE(holds(json::object(), arches, {}));
  EXPECT_TRUE(holds(json::object(), arches, {}, "aarch64"));
}

TEST(Seccomp, ArgumentsAndErrorsAreTaken) {
  json text = profile(json::object(), json::object());
  text["syscalls"][0]["args"] = {
      {{"index", 0}, {"value", 4294967295}, {"valueTwo", 0}, {"op", "SCMP_CMP_EQ"}}};
  text["syscalls"][0]["errnoRet"] = 1;
  text["syscalls"][0]["errno"] = "EPERM";
  const json rule = translate_seccomp(text.dump(), {}, "x86_64")["syscalls"][0];
  EXPECT_EQ(rule["args"], text["syscalls"][0]["args"]);
  EXPECT_EQ(rule["errnoRet"], 1);
  EXPECT_FALSE(rule.contains("errno"));
}

TEST(Seccomp, OtherTextIsRefused) {
  for (const char* text :
       {"", "nonsense", "[]", "{}", R"({"defaultAction":"A"})",
        R"({"defaultAction":"A","syscalls":[{}]})", R"({"defaultAction":"A","syscalls":[1]})",
        R"({"defaultAction":"A","syscalls":[{"names":["a"],"action":"B",)"
        R"("includes":{"caps":7}}]})"}) {
    EXPECT_EQ(kind_thrown_by([&] { translate_seccomp(text, {}, "x86_64"); }), ErrorKind::kCorrupt)
        << text;
  }
}

TEST(Seccomp, TheProfileOfThisMachineFollowsTheCapabilities) {
  const auto rules_of = [](const std::vector<std::string>& capabilities) {
    std::vector<std::string> rules;
    const json filter = default_seccomp(capabilities);
    for (const auto& rule : filter["syscalls"]) {
      for (const std::string name : rule["names"]) {
        rules.push_back(name + " " + std::string(rule["action"]));
      }
    }
    return rules;
  };
  EXPECT_THAT(rules_of(default_capabilities()), Contains("bpf SCMP_ACT_ERRNO"));
  EXPECT_THAT(rules_of(default_capabilities()), Not(Contains("bpf SCMP_ACT_ALLOW")));
}

}  // namespace
}  // namespace still::oci
