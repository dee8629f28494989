// The tree of commands. Where Podman has a short form of "still container X", so do we.
#include "cli/app.h"

namespace still::cli {
namespace {

// Commands that exist at the top and below "container" alike.
void register_container_commands(CLI::App& parent, Context& context) {
  register_checkpoint(parent, context);
  register_restore(parent, context);
  register_run(parent, context);
  register_create(parent, context);
  register_start(parent, context);
  register_stop(parent, context);
  register_kill(parent, context);
  register_wait(parent, context);
  register_pause(parent, context);
  register_unpause(parent, context);
  register_exec(parent, context);
  register_logs(parent, context);
  register_rm(parent, context);
}

void register_container_group(CLI::App& app, Context& context) {
  CLI::App& group = add_group(app, "container", "Manage containers");
  register_container_commands(group, context);
  register_ps(group, context, "ls")->alias("list")->alias("ps");
  register_inspect(group, context, "container");
  register_container_exists(group, context);
  register_cleanup(group, context);
}

void register_image_group(CLI::App& app, Context& context) {
  CLI::App& group = add_group(app, "image", "Manage images");
  register_image_import(group, context);
  register_image_load(group, context);
  register_image_list(group, context, "ls")->alias("list");
  register_inspect(group, context, "image");
  register_image_rm(group, context, "rm");
  register_image_exists(group, context);
}

void register_archive_group(CLI::App& app, Context& context) {
  CLI::App& group = add_group(app, "archive", "Look at checkpoint archives");
  register_archive_verify(group, context);
  register_archive_inspect(group, context);
  register_archive_diff(group, context);
  register_archive_ls(group, context);
  register_archive_cat(group, context);
  register_archive_extract(group, context);
}

}  // namespace

void register_commands(CLI::App& app, Context& context) {
  register_container_commands(app, context);
  register_ps(app, context, "ps");
  register_inspect(app, context, "all");
  register_image_import(app, context);
  register_image_load(app, context);
  register_image_list(app, context, "images");
  register_image_rm(app, context, "rmi");
  register_info(app, context);
  register_version(app, context);
  register_container_group(app, context);
  register_checkpoints(app, context);
  register_volume(app, context);
  register_image_group(app, context);
  register_archive_group(app, context);
  register_help(app, context);
  register_complete(app, context);
}

}  // namespace still::cli
