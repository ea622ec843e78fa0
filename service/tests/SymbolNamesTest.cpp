//===- SymbolNamesTest.cpp - Names of a program as text -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "SymbolNames.h"
#include "llvm/Support/JSON.h"
#include "gtest/gtest.h"

using namespace llvm;
using namespace mlcompiler;

TEST(SymbolNames, TextIsAsLLVMWritesIt) {
  EXPECT_EQ(toText("main"), "main");
  EXPECT_EQ(toText("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(toText("f\xff"), "f\\ff");
  EXPECT_EQ(toText("f\\ff"), "f\\5cff");
  EXPECT_EQ(toText("\xc3"), "\\c3");
  EXPECT_EQ(toText("\xe2\x82 x"), "\\e2\\82 x");
  EXPECT_EQ(toText("\x01v"), "\x01v");
}

// Goes through all names of up to three bytes. Their alphabet has beginnings,
// middles and ends of characters, and what text is written with.
TEST(SymbolNames, EveryNameHasATextOfItsOwn) {
  const StringRef Alphabet("\\5cf\x01\x7f\x80\xbf\xc3\xe2\x82\xed\xa0\xf0\xff");
  std::vector<std::string> Names{""};
  for (size_t From = 0, Length = 0; Length != 3; ++Length)
    for (size_t End = Names.size(); From != End; ++From)
      for (char C : Alphabet)
        Names.push_back(Names[From] + C);
  for (StringRef Name : Names) {
    const std::string Text = toText(Name);
    EXPECT_TRUE(json::isUTF8(Text)) << Text;
    EXPECT_EQ(fromText(Text), Name);
    EXPECT_EQ(toText((Name + " -> " + Name).str()), Text + " -> " + Text);
  }
}

TEST(SymbolNames, OtherTextIsNoName) {
  for (StringRef Text : {"f\\", "f\\f", "f\\fg", "\\41", "\\FF", "\\c3\\bc"})
    EXPECT_EQ(fromText(Text), "") << Text.str();
}
