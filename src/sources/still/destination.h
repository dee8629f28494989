// Still's own containers as what is restored.
#pragma once

#include "journal/host.h"
#include "sources/still/demands.h"
#include "sources/still/dump_reader.h"
#include "subject/destination.h"

namespace still::sources {

class StillDestination : public subject::Destination {
 public:
  // grants: what an archive may ask for.
  explicit StillDestination(const journal::Host& host, Grants grants = {})
      : host_(host), grants_(std::move(grants)) {}

  const subject::DumpReader& dumps() const override { return dumps_; }
  std::unique_ptr<subject::NewContainer> decide(std::string_view config_dump,
                                                const criu::ImagePrivileges& images,
                                                const subject::PrivilegedTrees& trees,
                                                const subject::Wishes& wishes,
                                                const std::string& operation) override;
  std::unique_ptr<subject::StoredCheckpoint> open(const std::string& reference) override;

 private:
  const journal::Host& host_;
  const Grants grants_;
  const StillDumpReader dumps_;
};

}  // namespace still::sources
