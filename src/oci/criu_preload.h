// The library that makes CRIU understand the answers of newer kernels (src/criu_preload/).
#pragma once

#include <string>

namespace still::oci {

// The value of LD_PRELOAD for a program that calls CRIU for a dump: our library, then what the
// variable holds already. The library lies beside the still program or in ../lib/still; empty where
// it is in neither: CRIU then works as the kernel lets it.
std::string criu_preload();

}  // namespace still::oci
