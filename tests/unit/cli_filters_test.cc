#include <gtest/gtest.h>

#include "base/error.h"
#include "cli/flags/filters.h"
#include "cli/output/container_view.h"

namespace still::cli {
namespace {

ContainerView container() {
  ContainerView view;
  view.record.id = "abc123";
  view.record.name = "web-1";
  view.record.status = store::ContainerStatus::kExited;
  view.record.exit_code = 3;
  view.config.labels = {{"team", "db"}, {"tier", ""}};
  view.config.volumes = {{"data", "/data", false}};
  view.config.binds = {{"/srv", "/www", true, true}};
  view.image_name = "localhost/web:latest";
  view.config.image = "web";
  return view;
}

bool fits(const std::vector<std::string>& filters) {
  return container_filter(filters)(container());
}

TEST(Filters, NoneFitsAll) { EXPECT_TRUE(fits({})); }

TEST(Filters, EachKey) {
  EXPECT_TRUE(fits({"id=abc"}));
  EXPECT_FALSE(fits({"id=123"}));
  EXPECT_TRUE(fits({"name=eb-"}));
  EXPECT_FALSE(fits({"name=^eb"}));
  EXPECT_TRUE(fits({"status=exited"}));
  EXPECT_FALSE(fits({"status=running"}));
  EXPECT_TRUE(fits({"exited=3"}));
  EXPECT_FALSE(fits({"exited=0"}));
  EXPECT_TRUE(fits({"ancestor=web"}));
  EXPECT_TRUE(fits({"ancestor=localhost/web:latest"}));
}

TEST(Filters, VolumesByNameSourceOrDestination) {
  for (const char* filter : {"volume=data", "volume=/data", "volume=/srv", "volume=/www"}) {
    EXPECT_TRUE(fits({filter})) << filter;
  }
  EXPECT_FALSE(fits({"volume=other"}));
}

TEST(Filters, LabelsWithAndWithoutValue) {
  EXPECT_TRUE(fits({"label=team"}));
  EXPECT_TRUE(fits({"label=team=db"}));
  EXPECT_FALSE(fits({"label=team=web"}));
  EXPECT_FALSE(fits({"label=other"}));
}

TEST(Filters, AnyValueOfAKeyButEveryKeyAndEveryLabel) {
  EXPECT_TRUE(fits({"status=running", "status=exited"}));
  EXPECT_FALSE(fits({"status=exited", "name=db"}));
  EXPECT_TRUE(fits({"label=team", "label=tier"}));
  EXPECT_FALSE(fits({"label=team", "label=other"}));
}

TEST(Filters, RefusesWhatIsNone) {
  for (const char* filter : {"foo=bar", "name", "status=frozen", "name=("}) {
    EXPECT_THROW(fits({filter}), Error) << filter;
  }
}

}  // namespace
}  // namespace still::cli
