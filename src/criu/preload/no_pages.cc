// Preloaded into CRIU alone, for the time of a dump whose private memory others bring into the
// images (STILL_CRIU_NO_PAGES in its environment): they know already which pages there are, and
// CRIU's own look at the page tables takes 10 ms and more for a GiB, in which the container stands
// still. The kernel answers here that no page is present, but for the question that CRIU asks about
// guard pages (madvise(2)), which are no content.
// (CRIU 4.1.1: pmc_fill_cache() in criu/pagemap-cache.c; check_pagemap() in criu/kerndat.c asks
// about nothing.)

#include <linux/fs.h>
#include <stdlib.h>

#include "criu/preload/preload.h"

bool hides_pages(unsigned long request, void* argument) {
  if (request != PAGEMAP_SCAN || ::getenv("STILL_CRIU_NO_PAGES") == nullptr) return false;
  auto* const question = static_cast<pm_scan_arg*>(argument);
  const bool is_about_content = (question->category_anyof_mask & PAGE_IS_PRESENT) != 0;
  if (!is_about_content || question->start >= question->end) return false;
  question->walk_end = question->end;
  return true;
}
