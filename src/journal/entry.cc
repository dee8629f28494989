#include "journal/entry.h"

#include "base/error.h"
#include "journal/old_entries.h"
#include "journal/typed_step.h"

namespace still::journal {

static void to_json(nlohmann::json& json, const Step& step) {
  json = {{"kind", step.kind}, {"data", nlohmann::json::parse(step.data)}};
  if (!step.container_id.empty()) json["container_id"] = step.container_id;
}

static void from_json(const nlohmann::json& json, Step& step) {
  step.kind = json.at("kind").get<std::string>();
  step.data = json.value("data", nlohmann::json::object()).dump();
  step.container_id = json.value("container_id", "");
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Entry, key, operation, container_id, container_name,
                                                boot_id, owner, guardian, runtime, init, steps)

namespace {

Entry parse(const std::string& text, store::Store& store) try {
  const auto json = nlohmann::json::parse(text);
  return is_old_entry(json) ? convert_old_entry(json, store.containers()) : json.get<Entry>();
} catch (const nlohmann::json::exception& error) {
  throw Error(ErrorKind::kCorrupt, std::string("an entry of the journal: ") + error.what());
}

}  // namespace

void Entry::remove(std::string_view kind) {
  std::erase_if(steps, [&](const Step& step) { return step.kind == kind; });
}

std::vector<Entry> read_entries(store::Store& store) {
  std::vector<Entry> entries;
  for (const std::string& text : store.journal()) entries.push_back(parse(text, store));
  return entries;
}

std::optional<Entry> read_entry(store::Store& store, const std::string& key) {
  const auto text = store.journal_entry(key);
  if (!text) return std::nullopt;
  return parse(*text, store);
}

void write_entry(store::Store& store, const Entry& entry) {
  store.put_journal_entry(entry.key, nlohmann::json(entry).dump());
}

}  // namespace still::journal
