#include "archive/compressor.h"

#include <zlib.h>
#include <zstd.h>

#include <thread>
#include <utility>

#include "base/error.h"

namespace still::archive {
namespace {

constexpr int kZstdLevel = 3;
constexpr int kGzipLevel = 6;
// Added to the window size of deflate: write a gzip header and trailer.
constexpr int kGzipWrapper = 16;
constexpr size_t kOutputSize = size_t{128} << 10;

class PlainCompressor : public Compressor {
 public:
  explicit PlainCompressor(Sink sink) : sink_(std::move(sink)) {}
  void write(std::string_view data) override { sink_(data); }
  void finish() override {}

 private:
  Sink sink_;
};

class ZstdCompressor : public Compressor {
 public:
  explicit ZstdCompressor(Sink sink)
      : sink_(std::move(sink)),
        output_(kOutputSize, '\0'),
        context_(ZSTD_createCCtx(), ZSTD_freeCCtx) {
    set(ZSTD_c_compressionLevel, kZstdLevel);
    set(ZSTD_c_checksumFlag, 1);
    set(ZSTD_c_nbWorkers, static_cast<int>(std::thread::hardware_concurrency()));
  }

  void write(std::string_view data) override {
    ZSTD_inBuffer input{data.data(), data.size(), 0};
    while (input.pos < input.size) step(input, ZSTD_e_continue);
  }

  void finish() override {
    ZSTD_inBuffer nothing{nullptr, 0, 0};
    while (step(nothing, ZSTD_e_end) != 0) {
    }
  }

 private:
  void set(ZSTD_cParameter parameter, int value) {
    check(ZSTD_CCtx_setParameter(context_.get(), parameter, value));
  }

  size_t step(ZSTD_inBuffer& input, ZSTD_EndDirective directive) {
    ZSTD_outBuffer output{output_.data(), output_.size(), 0};
    const size_t left = check(ZSTD_compressStream2(context_.get(), &output, &input, directive));
    if (output.pos > 0) sink_({output_.data(), output.pos});
    return left;
  }

  static size_t check(size_t result) {
    if (ZSTD_isError(result) == 0) return result;
    throw Error(ErrorKind::kInternal, std::string("zstd: ") + ZSTD_getErrorName(result));
  }

  Sink sink_;
  std::string output_;
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context_;
};

class GzipCompressor : public Compressor {
 public:
  explicit GzipCompressor(Sink sink) : sink_(std::move(sink)), output_(kOutputSize, '\0') {
    if (deflateInit2(&stream_, kGzipLevel, Z_DEFLATED, MAX_WBITS + kGzipWrapper, MAX_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      throw Error(ErrorKind::kInternal, "zlib cannot start");
    }
  }
  GzipCompressor(const GzipCompressor&) = delete;
  GzipCompressor& operator=(const GzipCompressor&) = delete;
  ~GzipCompressor() override { deflateEnd(&stream_); }

  void write(std::string_view data) override {
    while (!data.empty()) {
      const std::string_view piece = data.substr(0, size_t{1} << 30);  // zlib counts in 32 bits
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
      stream_.avail_in = static_cast<uInt>(piece.size());
      while (stream_.avail_in > 0) step(Z_NO_FLUSH);
      data.remove_prefix(piece.size());
    }
  }

  void finish() override {
    while (step(Z_FINISH) != Z_STREAM_END) {
    }
  }

 private:
  int step(int flush) {
    stream_.next_out = reinterpret_cast<Bytef*>(output_.data());
    stream_.avail_out = static_cast<uInt>(output_.size());
    const int result = deflate(&stream_, flush);
    if (result == Z_STREAM_ERROR) throw Error(ErrorKind::kInternal, "zlib cannot compress");
    const size_t size = output_.size() - stream_.avail_out;
    if (size > 0) sink_({output_.data(), size});
    return result;
  }

  Sink sink_;
  std::string output_;
  z_stream stream_{};
};

}  // namespace

Compression parse_compression(std::string_view name) {
  if (name == "zstd") return Compression::kZstd;
  if (name == "gzip") return Compression::kGzip;
  if (name == "none") return Compression::kNone;
  throw Error(ErrorKind::kUsage, "unknown compression \"" + std::string(name) + "\"",
              "use zstd, gzip or none");
}

std::unique_ptr<Compressor> make_compressor(Compression compression, Sink sink) {
  switch (compression) {
    case Compression::kZstd:
      return std::make_unique<ZstdCompressor>(std::move(sink));
    case Compression::kGzip:
      return std::make_unique<GzipCompressor>(std::move(sink));
    case Compression::kNone:
      return std::make_unique<PlainCompressor>(std::move(sink));
  }
  std::unreachable();
}

}  // namespace still::archive
