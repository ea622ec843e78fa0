//===- CodeShape.cpp - How much room machine code takes -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "CodeShape.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/LEB128.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <limits>

using namespace llvm;
using namespace mlcompiler;

//===----------------------------------------------------------------------===//
// As bytes
//===----------------------------------------------------------------------===//

std::string CodeShape::encode() const {
  std::string Bytes;
  raw_string_ostream OS(Bytes);
  auto PutString = [&](StringRef Text) {
    encodeULEB128(Text.size(), OS);
    OS << Text;
  };
  PutString(Section);
  encodeULEB128(Callees.size(), OS);
  for (const std::string &Callee : Callees)
    PutString(Callee);
  for (const Part &P : Parts) {
    // The kind shares a number with Size, which most parts have.
    encodeULEB128(uint64_t(P.Size) << 3 | P.What, OS);
    if (P.What != Part::Bytes && P.What != Part::Entry)
      encodeULEB128(P.Target, OS);
    if (P.What == Part::Branch || P.What == Part::Jump)
      encodeULEB128(P.LongSize, OS);
  }
  return Bytes;
}

namespace {

class Decoder {
public:
  explicit Decoder(StringRef Bytes)
      : At(Bytes.bytes_begin()), End(Bytes.bytes_end()) {}

  bool isAtEnd() const { return At == End; }
  bool failed() const { return Failed; }

  uint64_t number() {
    unsigned Read = 0;
    const char *Wrong = nullptr;
    const uint64_t Value = decodeULEB128(At, &Read, End, &Wrong);
    if (Wrong) {
      Failed = true;
      At = End;
      return 0;
    }
    At += Read;
    return Value;
  }

  std::string string() {
    const uint64_t Size = number();
    if (Size > size_t(End - At)) {
      Failed = true;
      return "";
    }
    std::string Text(reinterpret_cast<const char *>(At), Size);
    At += Size;
    return Text;
  }

private:
  const uint8_t *At;
  const uint8_t *const End;
  bool Failed = false;
};

} // namespace

std::optional<CodeShape> CodeShape::decode(StringRef Bytes) {
  CodeShape Shape;
  if (Bytes.empty())
    return std::nullopt;
  Decoder From(Bytes);
  Shape.Section = From.string();
  for (uint64_t Left = From.number(); Left && !From.isAtEnd(); --Left)
    Shape.Callees.push_back(From.string());
  while (!From.isAtEnd()) {
    const uint64_t First = From.number();
    Part P{Part::Kind(First & 7), uint32_t(First >> 3)};
    if (P.What > Part::Jump)
      return std::nullopt;
    if (P.What != Part::Bytes && P.What != Part::Entry)
      P.Target = uint32_t(From.number());
    if (P.What == Part::Branch || P.What == Part::Jump)
      P.LongSize = uint32_t(From.number());
    if (P.What == Part::Jump && P.Target >= Shape.Callees.size())
      return std::nullopt;
    if (P.What == Part::Alignment && !isPowerOf2_32(P.Size))
      return std::nullopt;
    Shape.Parts.push_back(P);
  }
  if (From.failed())
    return std::nullopt;
  return Shape;
}

//===----------------------------------------------------------------------===//
// Laid out
//===----------------------------------------------------------------------===//

namespace {

constexpr uint32_t Nowhere = std::numeric_limits<uint32_t>::max();

/// One section while it is laid out.
class Section {
public:
  void add(const PlacedCode &Code) {
    const CodeShape &Shape = Code.Shape;
    std::vector<uint32_t> Labels;
    for (const CodeShape::Part &P : Shape.Parts)
      if (P.What == CodeShape::Part::Label) {
        if (Labels.size() <= P.Target)
          Labels.resize(P.Target + 1, Nowhere);
        Labels[P.Target] =
            static_cast<uint32_t>(Pieces.size() + (&P - Shape.Parts.data()));
      }
    for (const CodeShape::Part &P : Shape.Parts) {
      Piece New{P.What, P.Size, P.LongSize, P.Target};
      switch (P.What) {
      case CodeShape::Part::Entry:
        Entries[Code.Function] = static_cast<uint32_t>(Pieces.size());
        break;
      case CodeShape::Part::Branch:
        New.Target = P.Target < Labels.size() ? Labels[P.Target] : Nowhere;
        break;
      case CodeShape::Part::Jump:
        Jumps.push_back(
            {static_cast<uint32_t>(Pieces.size()), Shape.Callees[P.Target]});
        break;
      default:
        break;
      }
      Pieces.push_back(New);
    }
  }

  uint64_t bytes(function_ref<StringRef(StringRef)> Reached) {
    for (const auto &[Where, Callee] : Jumps) {
      const StringRef Function = Reached(Callee);
      const auto Entry =
          Function.empty() ? Entries.end() : Entries.find(Function);
      Pieces[Where].Target = Entry == Entries.end() ? Nowhere : Entry->second;
    }
    uint64_t Size = place();
    while (lengthen())
      Size = place();
    return Size;
  }

private:
  struct Piece {
    CodeShape::Part::Kind What;
    uint32_t Size;
    uint32_t LongSize;
    /// The index of the piece that a branch goes to.
    uint32_t Target;
    uint64_t Offset = 0;

    bool branches() const {
      return What == CodeShape::Part::Branch || What == CodeShape::Part::Jump;
    }
  };

  uint64_t place() {
    uint64_t Offset = 0;
    for (Piece &P : Pieces) {
      P.Offset = Offset;
      if (P.What != CodeShape::Part::Alignment)
        Offset += P.Size;
      else if (const uint64_t Gap = alignTo(Offset, P.Size) - Offset;
               Gap <= P.Target)
        Offset += Gap;
    }
    return Offset;
  }

  bool lengthen() {
    bool Any = false;
    for (Piece &P : Pieces) {
      if (!P.branches() || P.Size == P.LongSize)
        continue;
      if (P.Target != Nowhere &&
          isInt<8>(int64_t(Pieces[P.Target].Offset - (P.Offset + P.Size))))
        continue;
      P.Size = P.LongSize;
      Any = true;
    }
    return Any;
  }

  std::vector<Piece> Pieces;
  StringMap<uint32_t> Entries;
  std::vector<std::pair<uint32_t, StringRef>> Jumps;
};

} // namespace

uint64_t mlcompiler::layOut(ArrayRef<PlacedCode> Functions,
                            function_ref<StringRef(StringRef)> Reached) {
  StringMap<Section> Sections;
  for (const PlacedCode &Each : Functions)
    Sections[Each.Shape.Section].add(Each);
  uint64_t Bytes = 0;
  for (auto &Each : Sections)
    Bytes += Each.second.bytes(Reached);
  return Bytes;
}
