// The text form of an age file: strict PEM with lines of 64 columns (C2SP age.md, "ASCII armor").
#pragma once

#include "ward/crypto/internal/buffered_source.h"
#include "ward/crypto/stream.h"

namespace ward::crypto::internal {

// The begin marker is somewhere in the first bytes of a file that is not a binary one.
bool looks_armored(ByteView first_bytes);

class ArmorSource : public ByteSource {
  public:
    // `text` must outlive this object.
    explicit ArmorSource(BufferedSource& text) : text_(text) {}
    // Throws Error kCorrupt `age armor: ...`.
    size_t read(std::span<uint8_t> out) override;

  private:
    void start();
    void decode_line();
    void expect_nothing_more();

    BufferedSource& text_;
    Bytes line_;
    size_t used_ = 0;
    bool started_ = false;
    bool short_line_seen_ = false;
    bool ended_ = false;
};

class ArmorSink : public ByteSink {
  public:
    explicit ArmorSink(ByteSink& out) : out_(out) {}
    void write(ByteView data) override;
    void finish();  // the last line and the end marker

  private:
    void put_lines(ByteView data);

    ByteSink& out_;
    bool started_ = false;
    Bytes rest_;  // less than a line
};

}  // namespace ward::crypto::internal
