//===- EmbeddedBitcode.cpp - Modules inside other files -------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "EmbeddedBitcode.h"
#include "llvm/BinaryFormat/Magic.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Object/Archive.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

class Extractor {
public:
  Extractor(StringRef Folder, raw_ostream &Listing)
      : Folder(Folder), Listing(Listing) {}

  /// \p Source is what \p Buffer is called in messages.
  Error extract(MemoryBufferRef Buffer, const std::string &Source);

private:
  Error extractArchive(MemoryBufferRef Buffer, const std::string &Source);
  Error extractObject(MemoryBufferRef Buffer, const std::string &Source);
  Error extractSection(StringRef Contents, const std::string &Source);
  Error write(BitcodeModule &Found, const std::string &Source);

  StringRef Folder;
  raw_ostream &Listing;
  unsigned Count = 0;
};

} // namespace

Error Extractor::extract(MemoryBufferRef Buffer, const std::string &Source) {
  switch (identify_magic(Buffer.getBuffer())) {
  case file_magic::archive:
    return extractArchive(Buffer, Source);
  case file_magic::bitcode:
    return extractSection(Buffer.getBuffer(), Source);
  case file_magic::elf:
  case file_magic::elf_relocatable:
  case file_magic::elf_executable:
  case file_magic::elf_shared_object:
    return extractObject(Buffer, Source);
  default:
    return Error::success();
  }
}

Error Extractor::extractArchive(MemoryBufferRef Buffer,
                                const std::string &Source) {
  auto Archive = object::Archive::create(Buffer);
  if (!Archive)
    return Archive.takeError();
  Error Broken = Error::success();
  for (const object::Archive::Child &Child : (*Archive)->children(Broken)) {
    auto Member = Child.getMemoryBufferRef();
    if (!Member)
      return joinErrors(Member.takeError(), std::move(Broken));
    std::string Name = sys::path::filename(Member->getBufferIdentifier()).str();
    if (Error E = extract(*Member, Source + "(" + Name + ")"))
      return joinErrors(std::move(E), std::move(Broken));
  }
  return Broken;
}

Error Extractor::extractObject(MemoryBufferRef Buffer,
                               const std::string &Source) {
  auto Object = object::ObjectFile::createObjectFile(Buffer);
  if (!Object)
    return Object.takeError();
  for (const object::SectionRef &Section : (*Object)->sections()) {
    Expected<StringRef> Name = Section.getName();
    if (!Name)
      return Name.takeError();
    if (*Name != ".llvmbc" && *Name != ".llvm.lto")
      continue;
    Expected<StringRef> Contents = Section.getContents();
    if (!Contents)
      return Contents.takeError();
    if (Error E = extractSection(*Contents, Source))
      return E;
  }
  return Error::success();
}

/// Linking joins the sections of several objects. The result is not bitcode as
/// a whole: each part begins with the magic number.
Error Extractor::extractSection(StringRef Contents, const std::string &Source) {
  static constexpr StringLiteral Magic = "BC\xC0\xDE";
  size_t Begin = Contents.find(Magic);
  while (Begin != StringRef::npos) {
    size_t End = Begin;
    Expected<std::vector<BitcodeModule>> Modules = std::vector<BitcodeModule>();
    do {
      // The four bytes may also be found inside a module.
      consumeError(Modules.takeError());
      End = std::min(Contents.find(Magic, End + Magic.size()), Contents.size());
      Modules = getBitcodeModuleList(
          MemoryBufferRef(Contents.slice(Begin, End), Source));
    } while (!Modules && End != Contents.size());
    if (!Modules)
      return Modules.takeError();
    for (BitcodeModule &Found : *Modules)
      if (Error E = write(Found, Source))
        return E;
    Begin = Contents.find(Magic, End);
  }
  return Error::success();
}

Error Extractor::write(BitcodeModule &Found, const std::string &Source) {
  LLVMContext Context;
  auto M = Found.parseModule(Context);
  if (!M)
    return createStringError(Source + ": " + toString(M.takeError()));
  std::string File = std::to_string(Count++) + ".bc";
  SmallString<128> Path = Folder;
  sys::path::append(Path, File);
  std::error_code EC;
  raw_fd_ostream Output(Path, EC, sys::fs::CD_CreateAlways, sys::fs::FA_Write,
                        sys::fs::OF_None);
  if (EC)
    return createFileError(Path, EC);
  WriteBitcodeToFile(**M, Output, /*ShouldPreserveUseListOrder=*/true);
  Output.close();
  if (std::error_code Failed = Output.error()) {
    Output.clear_error();
    return createFileError(Path, Failed);
  }
  json::Object Line{{"file", File}, {"source", json::fixUTF8(Source)}};
  Listing << json::Value(std::move(Line)) << '\n';
  return Error::success();
}

Error mlcompiler::extractBitcode(StringRef File, StringRef Folder,
                                 raw_ostream &Listing) {
  auto Buffer = MemoryBuffer::getFile(File, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!Buffer)
    return createFileError(File, Buffer.getError());
  return Extractor(Folder, Listing)
      .extract((*Buffer)->getMemBufferRef(), File.str());
}
