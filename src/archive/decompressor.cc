#include "archive/decompressor.h"

#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "archive/reader.h"
#include "base/error.h"

namespace still::archive {
namespace {

constexpr size_t kInputSize = size_t{256} << 10;
// Added to the window size of inflate: expect a gzip header and trailer.
constexpr int kGzipWrapper = 16;

constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";
constexpr std::string_view kZstdSkippableMagic = "\x2a\x4d\x18";  // after a byte 0x50 to 0x5f
constexpr std::string_view kXzMagic =
    "\xfd"
    "7zXZ";
constexpr std::string_view kBzip2Magic = "BZh";

[[noreturn]] void fail(const std::string& reason) {
  throw Error(ErrorKind::kCorrupt, "the archive is damaged: " + reason);
}

[[noreturn]] void fail_truncated() { throw Error(ErrorKind::kCorrupt, "the archive is truncated"); }

// The compressed bytes, a buffer at a time.
class Input {
 public:
  explicit Input(Source source) : source_(std::move(source)), buffer_(kInputSize, '\0') {}

  // What is read but not used up; reads on if that is nothing. Empty at the end.
  std::string_view peek() {
    if (rest_.empty()) {
      rest_ = {buffer_.data(), source_(buffer_.data(), buffer_.size())};
    }
    return rest_;
  }
  void consume(size_t size) { rest_.remove_prefix(size); }

 private:
  const Source source_;
  std::string buffer_;
  std::string_view rest_;
};

class PlainSource {
 public:
  explicit PlainSource(std::unique_ptr<Input> input) : input_(std::move(input)) {}

  size_t read(char* buffer, size_t size) {
    const size_t copied = input_->peek().copy(buffer, size);
    input_->consume(copied);
    return copied;
  }

 private:
  std::unique_ptr<Input> input_;
};

class ZstdSource {
 public:
  explicit ZstdSource(std::unique_ptr<Input> input)
      : input_(std::move(input)), context_(ZSTD_createDCtx(), ZSTD_freeDCtx) {}

  size_t read(char* buffer, size_t size) {
    ZSTD_outBuffer output{buffer, size, 0};
    while (output.pos == 0) {
      const std::string_view compressed = input_->peek();
      ZSTD_inBuffer in{compressed.data(), compressed.size(), 0};
      const size_t left = ZSTD_decompressStream(context_.get(), &output, &in);
      if (ZSTD_isError(left) != 0) fail(ZSTD_getErrorName(left));
      input_->consume(in.pos);
      if (compressed.empty() && output.pos == 0) {
        // Between two frames the decoder waits for a whole header and says so, too.
        if (!between_frames_) fail_truncated();
        return 0;
      }
      between_frames_ = left == 0;
    }
    return output.pos;
  }

 private:
  std::unique_ptr<Input> input_;
  bool between_frames_ = false;
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context_;
};

class GzipSource {
 public:
  explicit GzipSource(std::unique_ptr<Input> input) : input_(std::move(input)) {
    if (inflateInit2(&stream_, MAX_WBITS + kGzipWrapper) != Z_OK) {
      throw Error(ErrorKind::kInternal, "zlib cannot start");
    }
  }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;
  ~GzipSource() { inflateEnd(&stream_); }

  size_t read(char* buffer, size_t size) {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer);
    stream_.avail_out = static_cast<uInt>(size);
    while (stream_.avail_out == size) {
      const std::string_view compressed = input_->peek();
      if (compressed.empty()) {
        if (!between_members_) fail_truncated();
        return 0;
      }
      inflate_some(compressed);
    }
    return size - stream_.avail_out;
  }

 private:
  void inflate_some(std::string_view compressed) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
    stream_.avail_in = static_cast<uInt>(compressed.size());
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END) fail(stream_.msg ? stream_.msg : "gzip data");
    input_->consume(compressed.size() - stream_.avail_in);
    between_members_ = result == Z_STREAM_END;
    if (between_members_) inflateReset(&stream_);
  }

  std::unique_ptr<Input> input_;
  bool between_members_ = false;
  z_stream stream_{};
};

template <typename Decoder>
Source source_of(std::unique_ptr<Input> input) {
  const auto decoder = std::make_shared<Decoder>(std::move(input));
  return [decoder](char* buffer, size_t size) { return decoder->read(buffer, size); };
}

}  // namespace

Source file_source(const Fd& file) {
  return [&file](char* buffer, size_t size) {
    for (;;) {
      const ssize_t got = ::read(file.get(), buffer, size);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) throw Error::system(errno, "cannot read");
    }
  };
}

void for_each_block(const Source& source, const std::function<void(std::string_view)>& take) {
  std::string block(size_t{256} << 10, '\0');
  while (const size_t got = source(block.data(), block.size())) {
    take(std::string_view(block).substr(0, got));
  }
}

Source decompressing_source(Source compressed) {
  auto input = std::make_unique<Input>(std::move(compressed));
  const std::string_view start = input->peek();
  if (start.starts_with(kGzipMagic)) return source_of<GzipSource>(std::move(input));
  const bool skippable = start.size() >= 4 && (start[0] & 0xf0) == 0x50 &&
                         start.substr(1).starts_with(kZstdSkippableMagic);
  if (start.starts_with(kZstdMagic) || skippable) return source_of<ZstdSource>(std::move(input));
  if (start.starts_with(kXzMagic) || start.starts_with(kBzip2Magic)) {
    throw Error(ErrorKind::kUnsupported, "the archive is compressed with xz or bzip2",
                "decompress it, or compress it with zstd or gzip");
  }
  return source_of<PlainSource>(std::move(input));
}

}  // namespace still::archive
