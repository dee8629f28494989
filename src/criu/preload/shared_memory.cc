// Preloaded into CRIU alone, for the time of a dump. Memory that processes share (anonymous, System
// V, memfd_create(2)) CRIU writes into the images while the container stands still, page by page: a
// second and more for a GiB. What is in the list that STILL_CRIU_SHARED_MEMORY names (a line
// "DEVICE INODE" for each) others have copied before, and put it into the images when the container
// runs on: CRIU finds that it has no data, and writes a list of its pages that is empty.
// (CRIU 4.1.1: next_data_segment() in criu/shmem.c, by lseek(2), for all three kinds.)

#include "criu/preload/preload.h"

bool is_shared_memory_of_others(int file) {
  static FileList list("STILL_CRIU_SHARED_MEMORY");
  return list.find(file) != nullptr;
}
