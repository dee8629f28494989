/* Preloaded into PostgreSQL where it has to run as root although it refuses to: it is told that it is
 * user postgres.
 *
 * Why root: CRIU reads the resource limits of the processes that it dumps. For processes of another
 * user the kernel asks for CAP_SYS_RESOURCE, which even root lacks in some sandboxes ("Can't get
 * rlimit 0: Operation not permitted"). Where root has it, tests/system/ordinary_users.bats runs PostgreSQL as its own
 * user. */
#include <pwd.h>
#include <stddef.h>
#include <unistd.h>

uid_t getuid(void) {
  static uid_t postgres;
  if (postgres == 0) {
    const struct passwd* entry = getpwnam("postgres");
    postgres = entry != NULL ? entry->pw_uid : 1;
  }
  return postgres;
}

uid_t geteuid(void) { return getuid(); }
