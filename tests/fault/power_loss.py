#!/usr/bin/env python3
"""Whether the order of system calls would survive a power loss at any moment: power_loss.py [RULE...] TRACE

TRACE: what `strace -y -o` has written of one command, with -f or of its first thread. A rule says what must hold:

  --final PATH    PATH gets its name by a rename. At that moment every byte and every name of what is
                  renamed is on disk for certain; and before the command reports success so is the name.
  --replaced PATH[:THROUGH]
                  what PATH had before is in PATH.before-restore. Before the first of that is removed,
                  everything in PATH is on disk for certain. THROUGH: it is filled through this mount.
  --frozen        before the first write to a freezer the last write to the database was synced.

The model of what is on disk for certain, and nothing else is:

  content of a file       what was written before its last fsync or fdatasync, or a syncfs or sync
  names in a directory    what was there at its last fsync, or a syncfs or sync

A path here is a file: what is open is followed by the path that strace shows (-y), and moves with it. A file that was
made without a name (O_TMPFILE) strace shows as DIRECTORY/#NUMBER for ever; from its first name on, it is that here.
Success is reported by a write to standard output, or by the end of the first process with code 0.
"""

import argparse
import os
import re
import sys

CALL = re.compile(r"^(?:(\d+)\s+)?(\w+)\((.*)\)\s+= (-?\d+|\?)(.*)$")
UNFINISHED = re.compile(r"^(\d+)\s+(.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+)\s+<\.\.\. \w+ resumed>(.*)$")
EXIT = re.compile(r"^(?:(\d+)\s+)?\+\+\+ exited with (\d+) \+\+\+$")
DESCRIPTOR = re.compile(r"^(?:\d+|AT_FDCWD)<(.*?)(?:<.*>)?>(?:\(deleted\))?$")
STRING = re.compile(r'^"(.*)"$')

SHOWN = 10

WRITES = {"write", "pwrite64", "writev", "pwritev", "ftruncate", "fallocate"}
COPIES = {"copy_file_range": 2, "sendfile": 0}  # which argument is written to
RENAMES = {"rename", "renameat", "renameat2"}
LINKS = {"link", "linkat"}
REMOVALS = {"unlink", "unlinkat", "rmdir"}
MAKERS = {"mkdir", "mkdirat", "symlink", "symlinkat", "mknod", "mknodat"}


class Disk:
    """What is not yet on disk for certain."""

    def __init__(self):
        self.dirty = set()  # files with content that is not
        self.names = {}  # directory -> names in it that are not (new, gone or replaced)
        self.given = {}  # path of a file without a name -> the name that it has now

    def write(self, path):
        self.dirty.add(self.given.get(path, path))

    def link(self, old, new):
        self.name_changes(new)
        self.given[old] = new
        self.dirty = {new if path == old else path for path in self.dirty}

    def name_changes(self, path):
        self.names.setdefault(os.path.dirname(path), set()).add(os.path.basename(path))

    def sync(self, path):
        """fsync of a file or a directory."""
        self.dirty.discard(self.given.get(path, path))
        self.names.pop(path, None)

    def sync_all(self):
        self.dirty.clear()
        self.names.clear()

    def remove(self, path):
        self.dirty = {other for other in self.dirty if not is_below(other, path)}
        self.names = {other: names for other, names in self.names.items() if not is_below(other, path)}
        self.name_changes(path)

    def rename(self, old, new):
        self.dirty = {moved(path, old, new) for path in self.dirty if not is_below(path, new)}
        self.names = {moved(path, old, new): names for path, names in self.names.items()
                      if not is_below(path, new)}
        self.given = {path: moved(name, old, new) for path, name in self.given.items()}
        self.name_changes(old)
        self.name_changes(new)

    def unsure_below(self, path):
        """Files and directories from here down that a power loss could damage."""
        return sorted({other for other in self.dirty | set(self.names) if is_below(other, path)})

    def is_unsure(self, path):
        return os.path.basename(path) in self.names.get(os.path.dirname(path), ())


def is_below(path, directory):
    return path == directory or path.startswith(directory + "/")


def moved(path, old, new):
    return new + path[len(old):] if is_below(path, old) else path


# --- the trace --------------------------------------------------------------------------------------


def whole_lines(lines):
    """Calls that were interrupted by others in one line, at the time when they returned."""
    begun = {}
    for line in lines:
        line = line.rstrip("\n")
        if match := UNFINISHED.match(line):
            begun[match[1]] = match[2]
        elif match := RESUMED.match(line):
            yield f"{match[1]} {begun.pop(match[1], '')}{match[2]}"
        else:
            yield line


def split_arguments(text):
    """At the commas that are not in strings, brackets or paths."""
    arguments, depth, quoted, begin, i = [], 0, False, 0, 0
    while i < len(text):
        character = text[i]
        if quoted:
            i += character == "\\"
            quoted = character != '"'
        elif character == '"':
            quoted = True
        elif character in "[{<(":
            depth += 1
        elif character in "]}>)":
            depth -= 1
        elif character == "," and depth == 0:
            arguments.append(text[begin:i].strip())
            begin = i + 1
        i += 1
    return [*arguments, text[begin:].strip()]


def descriptor_path(argument):
    match = DESCRIPTOR.match(argument)
    return match[1].removesuffix(" (deleted)") if match else None


def string(argument):
    match = STRING.match(argument.removesuffix("..."))
    return match[1] if match else None


def path_at(directory, name):
    return os.path.normpath(os.path.join(descriptor_path(directory) or "/", string(name) or ""))


def plain(name):
    return os.path.normpath(string(name) or "")


class Trace:
    """Applies one call after the other to a disk, and asks the rules at the moments that count."""

    def __init__(self, rules):
        self.disk = Disk()
        self.rules = rules
        self.first = None  # the command's own process

    def read(self, lines):
        for line in whole_lines(lines):
            if match := EXIT.match(line):
                if match[1] == self.first and match[2] == "0":
                    self.ask("before_success", self.disk)
            elif match := CALL.match(line):
                self.first = self.first or match[1]  # none without -f
                if match[4] != "?" and int(match[4]) >= 0:
                    self.apply(match[1], match[2], split_arguments(match[3]), match[5])
        self.ask("at_end")

    def ask(self, moment, *arguments):
        for rule in self.rules:
            getattr(rule, moment, lambda *_: None)(*arguments)

    def apply(self, pid, name, arguments, result):
        disk = self.disk
        if name in WRITES or name in COPIES:
            self.write(pid, arguments[COPIES.get(name, 0)], arguments)
        elif name in ("fsync", "fdatasync"):
            disk.sync(descriptor_path(arguments[0]))
        elif name in ("syncfs", "sync"):
            disk.sync_all()
        elif name in RENAMES:
            self.rename(*self.two_paths(name, arguments))
        elif name in LINKS:
            self.link(*self.two_paths(name, arguments))
        elif name in REMOVALS:
            self.remove(path_at(*arguments[:2]) if name == "unlinkat" else plain(arguments[0]))
        elif name in MAKERS:
            self.make(name, arguments)
        elif name in ("open", "openat", "creat"):
            self.open(arguments, result)

    def write(self, pid, descriptor, arguments):
        path = descriptor_path(descriptor)
        if descriptor.startswith("1<") and pid == self.first:
            self.ask("before_success", self.disk)
        if path is None or not path.startswith("/") or path.startswith(("/dev/", "/proc/")):
            return
        if path.endswith(("/cgroup.freeze", "/freezer.state")):
            self.ask("before_freezer", self.disk, string(arguments[1]) or "")
        elif not path.startswith("/sys/"):
            self.disk.write(path)
            self.ask("after_write", path)

    def rename(self, old, new):
        self.ask("before_rename", self.disk, old, new)
        self.disk.rename(old, new)
        self.ask("after_rename", new)

    def link(self, old, new):
        if os.path.basename(old).startswith("#"):
            self.disk.link(old, new)
        else:
            self.disk.name_changes(new)

    def remove(self, path):
        self.ask("before_removal", self.disk, path)
        self.disk.remove(path)

    @staticmethod
    def two_paths(name, arguments):
        if name in ("rename", "link"):
            return plain(arguments[0]), plain(arguments[1])
        return path_at(*arguments[:2]), path_at(*arguments[2:4])

    def make(self, name, arguments):
        if name == "symlink":
            self.disk.name_changes(plain(arguments[1]))
        elif name == "symlinkat":
            self.disk.name_changes(path_at(*arguments[1:3]))
        elif name.endswith("at"):
            self.disk.name_changes(path_at(*arguments[:2]))
        else:
            self.disk.name_changes(plain(arguments[0]))

    def open(self, arguments, result):
        flags = next((argument for argument in arguments if argument.startswith("O_")), "O_CREAT")
        match = re.match(r"<(.*?)(?:<.*>)?>", result)
        path = match[1].removesuffix(" (deleted)") if match else None
        if path is None or not path.startswith("/") or path.startswith(("/dev/", "/proc/", "/sys/")):
            return
        # Whether there was a name is not to be seen: it is taken for new. The content is only where it
        # must be: a file that was there is not changed by that.
        if "O_CREAT" in flags:
            self.disk.name_changes(path)
        if "O_TRUNC" in flags or "O_EXCL" in flags or "O_TMPFILE" in flags:
            self.disk.write(path)


# --- the rules --------------------------------------------------------------------------------------


class Final:
    """A name that must never be seen with less than all behind it, and be there after success."""

    def __init__(self, path):
        self.path = os.path.normpath(path)
        self.findings = []
        self.seen = False

    def before_rename(self, disk, old, new):
        if new != self.path:
            return
        self.findings += [f"{new} becomes visible, and {path} is not on disk for certain"
                          for path in disk.unsure_below(old)]

    def after_rename(self, new):
        self.seen |= new == self.path

    def before_success(self, disk):
        if self.seen and disk.is_unsure(self.path):
            self.findings.append(f"success is reported, and the name {self.path} is not on disk for certain")
        if self.seen:
            self.findings += [f"success is reported, and {path} is not on disk for certain"
                              for path in disk.unsure_below(self.path)]

    def at_end(self):
        if not self.seen:
            self.findings.append(f"nothing was renamed to {self.path}")


class Replaced:
    """Of two contents one is on disk for certain, whenever the power goes."""

    def __init__(self, argument):
        path, _, through = argument.partition(":")
        self.path = os.path.normpath(path)
        self.places = [self.path, *([os.path.normpath(through)] if through else [])]
        self.findings = []
        self.filled = False
        self.removed = False

    def after_write(self, path):
        self.filled |= any(is_below(path, place) for place in self.places)

    def before_removal(self, disk, path):
        # What was left there earlier is removed before anything is filled.
        if self.removed or not self.filled or not is_below(path, self.path + ".before-restore"):
            return
        self.removed = True
        self.findings += [f"{path} is removed, and {new} is not on disk for certain"
                          for place in self.places for new in disk.unsure_below(place)]

    def at_end(self):
        if not self.removed:
            self.findings.append(f"{self.path} was not replaced")


class Frozen:
    """Whoever finds a frozen container after a crash must find the journal entry, too."""

    DATABASE = ("/still.db", "/still.db-wal")

    def __init__(self):
        self.findings = []
        self.databases = set()
        self.frozen = False

    def after_write(self, path):
        if path.endswith(self.DATABASE):
            self.databases.add(path)

    def before_freezer(self, disk, value):
        if self.frozen or not value.startswith(("1", "FROZEN")):
            return
        self.frozen = True
        if not self.databases:
            self.findings.append("the container is frozen, and nothing was written to the database")
        unsure = sorted(path for path in self.databases if path in disk.dirty or disk.is_unsure(path))
        self.findings += [f"the container is frozen, and {path} is not on disk for certain"
                          for path in unsure]

    def at_end(self):
        if not self.frozen:
            self.findings.append("nothing was frozen")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--final", action="append", default=[])
    parser.add_argument("--replaced", action="append", default=[])
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("trace")
    arguments = parser.parse_args()
    rules = [Final(path) for path in arguments.final]
    rules += [Replaced(path) for path in arguments.replaced]
    rules += [Frozen()] * arguments.frozen
    with open(arguments.trace, encoding="utf-8", errors="replace") as file:
        Trace(rules).read(file)
    findings = list(dict.fromkeys(finding for rule in rules for finding in rule.findings))
    for finding in findings[:SHOWN]:
        print(finding)
    if len(findings) > SHOWN:
        print(f"and {len(findings) - SHOWN} more")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
