//===- SymbolNames.cpp - Names of a program as text -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "SymbolNames.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/JSON.h"

using namespace llvm;
using namespace mlcompiler;

/// The number of bytes of the character that \p Text begins with; 0 if it is
/// none.
static size_t characterBytes(StringRef Text) {
  const size_t Size = getNumBytesForUTF8(static_cast<UTF8>(Text.front()));
  return Size <= Text.size() && json::isUTF8(Text.take_front(Size)) ? Size : 0;
}

std::string mlcompiler::toText(StringRef Name) {
  if (!Name.contains('\\') && json::isUTF8(Name))
    return Name.str();
  std::string Text;
  while (!Name.empty()) {
    const size_t Size = Name.front() == '\\' ? 0 : characterBytes(Name);
    if (Size)
      Text += Name.take_front(Size);
    else
      Text += "\\" + toHex(Name.take_front(1), /*LowerCase=*/true);
    Name = Name.drop_front(std::max<size_t>(Size, 1));
  }
  return Text;
}

std::string mlcompiler::fromText(StringRef Text) {
  std::string Name;
  const StringRef All = Text;
  while (!Text.empty()) {
    std::string Byte;
    if (Text.front() != '\\')
      Name += Text.front();
    else if (tryGetFromHex(Text.substr(1, 2), Byte) && Byte.size() == 1)
      Name += Byte;
    else
      return "";
    Text = Text.drop_front(
        std::min<size_t>(Text.front() == '\\' ? 3 : 1, Text.size()));
  }
  return toText(Name) == All ? Name : "";
}
