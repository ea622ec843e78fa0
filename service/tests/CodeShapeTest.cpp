//===- CodeShapeTest.cpp --------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "CodeShape.h"
#include <gtest/gtest.h>

using namespace llvm;
using namespace mlcompiler;

using Part = CodeShape::Part;

static CodeShape shape(std::vector<Part> Parts,
                       std::vector<std::string> Callees = {},
                       std::string Section = ".text") {
  return {std::move(Section), std::move(Parts), std::move(Callees)};
}

/// All functions are near.
static StringRef itself(StringRef Callee) { return Callee; }

static uint64_t bytes(std::vector<PlacedCode> Functions,
                      function_ref<StringRef(StringRef)> Reached = itself) {
  return layOut(Functions, Reached);
}

static const Part Entry{Part::Entry};
static Part code(uint32_t Size) { return {Part::Bytes, Size}; }
static Part align(uint32_t To) { return {Part::Alignment, To, 0, To}; }
static Part label(uint32_t Number) { return {Part::Label, 0, 0, Number}; }
static Part branch(uint32_t To) { return {Part::Branch, 2, 6, To}; }
static Part jump(uint32_t Callee) { return {Part::Jump, 2, 5, Callee}; }

TEST(CodeShape, AddsUpWhatIsAligned) {
  EXPECT_EQ(bytes({{"f", shape({align(16), Entry, code(17)})},
                   {"g", shape({align(16), Entry, code(3)})}}),
            35u);
  EXPECT_EQ(bytes({}), 0u);
}

TEST(CodeShape, LaysSectionsOutApart) {
  EXPECT_EQ(bytes({{"f", shape({align(16), Entry, code(17)})},
                   {"g", shape({align(16), Entry, code(3)}, {}, ".text.g")}}),
            20u);
}

TEST(CodeShape, AlignsOnlyAsFarAsItMay) {
  EXPECT_EQ(bytes({{"f", shape({code(1), {Part::Alignment, 16, 0, 8}})}}), 1u);
  EXPECT_EQ(bytes({{"f", shape({code(9), {Part::Alignment, 16, 0, 8}})}}), 16u);
}

TEST(CodeShape, BranchesReachAByte) {
  EXPECT_EQ(bytes({{"f", shape({branch(0), code(127), label(0)})}}), 129u);
  EXPECT_EQ(bytes({{"f", shape({branch(0), code(128), label(0)})}}), 134u);
  EXPECT_EQ(bytes({{"f", shape({label(0), code(126), branch(0)})}}), 128u);
  EXPECT_EQ(bytes({{"f", shape({label(0), code(127), branch(0)})}}), 133u);
  EXPECT_EQ(bytes({{"f", shape({branch(7), code(1)})}}), 7u)
      << "of a label that there is not";
}

TEST(CodeShape, ALongBranchMakesOthersLong) {
  // The first branch reaches as long as the second one is short.
  EXPECT_EQ(bytes({{"f", shape({branch(0), branch(1), code(125), label(0),
                                code(100), label(1)})}}),
            6 + 6 + 125 + 100u);
}

TEST(CodeShape, JumpsReachOtherFunctionsOfTheirSection) {
  const CodeShape Far = shape({Entry, jump(0)}, {"g"});
  const CodeShape Near = shape({Entry, code(100)});
  EXPECT_EQ(bytes({{"f", Far}, {"g", Near}}), 102u);
  EXPECT_EQ(bytes({{"g", Near}, {"f", Far}}), 102u);
  EXPECT_EQ(bytes({{"f", Far}, {"h", shape({code(128)})}, {"g", Near}}), 233u);
  EXPECT_EQ(bytes({{"f", Far}, {"g", shape({Entry, code(100)}, {}, "other")}}),
            105u);
  EXPECT_EQ(bytes({{"f", Far}}), 5u);
  EXPECT_EQ(
      bytes({{"f", Far}, {"g", Near}}, [](StringRef) { return StringRef(); }),
      105u);
  EXPECT_EQ(bytes({{"f", Far}, {"g", Near}},
                  [](StringRef) { return StringRef("f"); }),
            102u);
}

TEST(CodeShape, SurvivesBeingWrittenDown) {
  const CodeShape Shape =
      shape({align(16), Entry, code(300), branch(2), label(2), jump(1)},
            {"g", "h"}, std::string(".text.f\0group", 13));
  const auto Read = CodeShape::decode(Shape.encode());
  ASSERT_TRUE(Read);
  EXPECT_EQ(Read->Section, Shape.Section);
  EXPECT_EQ(Read->Callees, Shape.Callees);
  EXPECT_EQ(Read->Parts, Shape.Parts);
}

TEST(CodeShape, ReadsNothingBroken) {
  const std::string Written =
      shape({align(16), Entry, jump(0)}, {"g"}).encode();
  EXPECT_FALSE(CodeShape::decode(""));
  EXPECT_FALSE(CodeShape::decode("\xff\xff"));
  for (size_t Size = 1; Size != Written.size(); ++Size)
    if (auto Read = CodeShape::decode(Written.substr(0, Size)))
      // Cut between parts.
      EXPECT_LT(Read->Parts.size(), 3u);
  EXPECT_FALSE(CodeShape::decode(shape({jump(1)}, {"g"}).encode()));
  EXPECT_FALSE(CodeShape::decode(shape({align(12)}).encode()));
}
