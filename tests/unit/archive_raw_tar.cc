#include "archive_raw_tar.h"

#include <numeric>

#include "base/format.h"

namespace still::test {
namespace {

constexpr size_t kBlock = 512;

std::string padded(std::string bytes) {
  bytes.resize((bytes.size() + kBlock - 1) / kBlock * kBlock, '\0');
  return bytes;
}

std::string header(const RawMember& member, size_t size) {
  std::string block(kBlock, '\0');
  const auto put = [&](size_t at, const std::string& text) {
    block.replace(at, text.size(), text);
  };
  put(0, member.name.substr(0, 100));
  put(100, formatted("{:07o}", member.mode));
  put(108, formatted("{:07o}", 0));
  put(116, formatted("{:07o}", 0));
  put(124, formatted("{:011o}", size));
  put(136, formatted("{:011o}", 0));
  put(156, std::string(1, member.type));
  put(157, member.link.substr(0, 100));
  put(257, std::string("ustar\00000", 8));
  put(329, formatted("{:07o}", 1));
  put(337, formatted("{:07o}", 3));
  put(148, "        ");
  const unsigned sum = std::accumulate(block.begin(), block.end(), 0U, [](unsigned total, char c) {
    return total + static_cast<unsigned char>(c);
  });
  put(148, formatted("{:06o}", sum) + std::string("\0 ", 2));
  return block;
}

std::string pax_record(const std::string& key, const std::string& value) {
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest + 1;
  while (length != rest + std::to_string(length).size()) ++length;
  return std::to_string(length) + " " + key + "=" + value + "\n";
}

}  // namespace

std::string raw_tar(const RawMember& member) {
  std::string bytes;
  if (!member.pax.empty()) {
    std::string records;
    for (const auto& [key, value] : member.pax) records += pax_record(key, value);
    bytes = header({.name = "PaxHeader", .type = 'x', .content = {}, .link = {}, .pax = {}},
                   records.size()) +
            padded(records);
  }
  return bytes + header(member, member.content.size()) + padded(member.content);
}

std::string raw_archive(const std::vector<RawMember>& members) {
  std::string bytes;
  for (const RawMember& member : members) bytes += raw_tar(member);
  return bytes + std::string(2 * kBlock, '\0');
}

archive::Source source_of(std::string_view bytes) {
  return [bytes](char* buffer, size_t size) mutable {
    const size_t copied = bytes.copy(buffer, size);
    bytes.remove_prefix(copied);
    return copied;
  };
}

}  // namespace still::test
