// Things as the JSON objects that `inspect` prints, with Podman's keys.
#pragma once

#include "cli/output/container_view.h"
#include "cli/output/json.h"
#include "store/layout.h"
#include "store/records.h"
#include "subject/source.h"

namespace still::cli {

Json inspect_container(const store::Layout& layout, const ContainerView& container);
// Of another engine's container what a checkpoint knows.
Json inspect_subject(const subject::Held& container);
Json inspect_image(const store::ImageRecord& image);
Json inspect_volume(const store::Layout& layout, const store::VolumeRecord& volume);

}  // namespace still::cli
