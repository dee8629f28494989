// What it costs to look at the status of every file of a tree, in several ways: the figures in
// docs/performance.md. `./dev exec build/release/tests/scan_bench`

#include "tree/scan.h"

#include <benchmark/benchmark.h>
#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "os/files.h"
#include "os/temp_dir.h"
#include "os/walk.h"
#include "tree/mirror.h"

namespace still {
namespace {

constexpr int kFiles = 20'000;

// kFiles files, in directories of so many each; made once.
class Tree {
 public:
  explicit Tree(int files_in_directory)
      : directory_(std::filesystem::temp_directory_path(), "scan-bench-") {
    std::filesystem::path place;
    for (int i = 0; i < kFiles; ++i) {
      if (i % files_in_directory == 0) {
        place = directory_.path() / "tree" / std::to_string(i);
        make_directories(place);
      }
      std::ofstream(place / ("file" + std::to_string(i))) << i;
    }
    for (const char* name : {"copy", "spare"}) make_directory(directory_.path() / name);
  }

  Fd open(const char* name = "tree") const {
    return open_file(directory_.path() / name, O_RDONLY | O_DIRECTORY);
  }

 private:
  TempDir directory_;
};

const Tree& tree(int files_in_directory) {
  static const Tree kFlat(kFiles);
  static const Tree kDeep(100);
  return files_in_directory == kFiles ? kFlat : kDeep;
}

void walk(benchmark::State& state) {
  const Fd root = tree(static_cast<int>(state.range(0))).open();
  for (auto _ : state) {
    uint64_t bytes = 0;
    walk_tree(root, {}, [&](const WalkEntry& entry) { bytes += entry.status.st_size; });
    benchmark::DoNotOptimize(bytes);
  }
}
BENCHMARK(walk)->Arg(kFiles)->Arg(100)->Unit(benchmark::kMillisecond)->UseRealTime();

void scan(benchmark::State& state) {
  const Fd root = tree(static_cast<int>(state.range(0))).open();
  for (auto _ : state) {
    benchmark::DoNotOptimize(tree::scan_tree(root, static_cast<unsigned>(state.range(1))));
  }
}
BENCHMARK(scan)
    ->ArgsProduct({{kFiles, 100}, {1, 2, 4}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// Look, compare, find nothing: what an unchanged tree costs in the freeze window.
void last_pass(benchmark::State& state) {
  const Tree& place = tree(static_cast<int>(state.range(0)));
  static std::set<int64_t> made;
  if (!made.insert(state.range(0)).second) return;
  tree::Mirror mirror(place.open(), place.open("copy"), place.open("spare"), {});
  mirror.follow();
  mirror.follow();
  for (auto _ : state) {
    const auto totals = mirror.finish({}, std::chrono::nanoseconds::max());
    if (totals.changed != 0) state.SkipWithError("the tree changed");
  }
}
BENCHMARK(last_pass)
    ->Arg(kFiles)
    ->Arg(100)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(20);

}  // namespace
}  // namespace still

BENCHMARK_MAIN();
