// CRIU's ioctl(2): see deleted_files.cc and no_pages.cc.
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "criu/preload/preload.h"

EXPORTED int ioctl(int file, unsigned long request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  if (hides_pages(request, argument)) return 0;
  if (request == FS_IOC_FIEMAP && is_copied_by_others(file)) {
    static_cast<fiemap*>(argument)->fm_mapped_extents = 0;
    return 0;
  }
  return static_cast<int>(::syscall(SYS_ioctl, file, request, argument));
}
