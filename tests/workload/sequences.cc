// Threads that are in a restartable sequence (rseq(2)) nearly all the time. At the end of each they
// look whether the kernel still knows that they are in it: when it has forgotten, because the
// thread was made to run other code meanwhile, the thread must not get there, but to the abort
// address. SIGTERM ends it. Exit codes: 0 fine, 3 a sequence was not protected to its end, 4 no
// rseq(2).

#include <sys/rseq.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

namespace {

constexpr int kFine = 0, kHarmed = 3, kFailed = 4;
constexpr int kThreads = 2;  // beside the first one

std::atomic<bool> g_stop = false;
std::atomic<long> g_done = 0, g_aborted = 0, g_unprotected = 0;

// linux/rseq.h, struct rseq_cs.
struct alignas(32) Sequence {
  uint32_t version = 0, flags = 0;
  uint64_t start = 0, length = 0, abort = 0;
};

enum class End { kDone, kAborted, kUnprotected };

// About a millisecond: less than a thread may mostly run at a time.
End run_sequence() {
  // What is read in front of the abort address is the C library's signature (sys/rseq.h).
  static_assert(RSEQ_SIG == 0x53053053);
  auto* registered =
      reinterpret_cast<volatile uint64_t*>(static_cast<char*>(__builtin_thread_pointer()) +
                                           __rseq_offset + offsetof(struct rseq, rseq_cs));
  static thread_local Sequence sequence;
  uint64_t still_known = 1;
  asm volatile goto(
      "leaq 1f(%%rip), %%rax\n movq %%rax, 8(%[sequence])\n"
      "leaq 2f(%%rip), %%rdx\n subq %%rax, %%rdx\n movq %%rdx, 16(%[sequence])\n"
      "leaq 4f(%%rip), %%rax\n movq %%rax, 24(%[sequence])\n"
      "movq %[sequence], (%[registered])\n"
      "1: movl $2000000, %%ecx\n"
      "3: decl %%ecx\n jnz 3b\n"
      "movq (%[registered]), %%rax\n movq %%rax, (%[known])\n"
      "2:\n"
      ".pushsection .text.aborts, \"ax\"\n"
      ".byte 0x0f, 0xb9, 0x3d\n .long 0x53053053\n"
      "4: jmp %l[aborted]\n"
      ".popsection\n"
      :
      : [sequence] "r"(&sequence), [registered] "r"(registered), [known] "r"(&still_known)
      : "rax", "rcx", "rdx", "memory", "cc"
      : aborted);
  *registered = 0;
  return still_known != 0 ? End::kDone : End::kUnprotected;
aborted:
  return End::kAborted;
}

void run() {
  while (!g_stop) {
    switch (run_sequence()) {
      case End::kDone:
        ++g_done;
        break;
      case End::kAborted:
        ++g_aborted;
        break;
      case End::kUnprotected:
        ++g_unprotected;
        break;
    }
  }
}

}  // namespace

int main() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (__rseq_size == 0) {
    std::puts("sequences: failed: the C library has registered none");
    return kFailed;
  }
  std::signal(SIGTERM, [](int) { g_stop = true; });
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(run);
  std::puts("sequences: ready=1");
  run();
  threads.clear();
  std::printf("sequences: done=%ld aborted=%ld unprotected=%ld\n", g_done.load(), g_aborted.load(),
              g_unprotected.load());
  return g_unprotected == 0 ? kFine : kHarmed;
}
