//===- Vocabularies.cpp - Seed embeddings from files ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Vocabularies.h"
#include "Failure.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace mlcompiler;
namespace proto = mlcompiler_gym::v1;

namespace {

struct VocabularyFolder {
  std::string Path;
  /// The files by name. They are mapped, so that a file costs nothing until it
  /// is asked for, and nothing to fork.
  StringMap<ErrorOr<std::unique_ptr<MemoryBuffer>>> Files;
};

VocabularyFolder &folder() {
  static VocabularyFolder Folder;
  return Folder;
}

} // namespace

void mlcompiler::readVocabularies(StringRef Folder) {
  folder().Path = Folder.str();
  std::error_code Error;
  for (sys::fs::directory_iterator It(Folder, Error), End; It != End && !Error;
       It.increment(Error))
    if (sys::path::extension(It->path()) == ".json")
      folder().Files.try_emplace(
          sys::path::stem(It->path()),
          MemoryBuffer::getFile(It->path(), /*IsText=*/true,
                                /*RequiresNullTerminator=*/false));
}

static Error unusable(const Twine &What, const Twine &Why) {
  return fail(proto::INVALID_ARGUMENT,
              "vocabulary " + What + " cannot be used: " + Why +
                  "; the service's option --vocabularies names the folder that "
                  "has it");
}

/// Fails unless each entity has one vector of \p Dimension.
static Error readSection(const json::Value &From, size_t Dimension,
                         StringMap<std::vector<double>> &To) {
  const json::Object *Entities = From.getAsObject();
  if (!Entities)
    return createStringError("it is no object");
  for (const auto &[Entity, Value] : *Entities) {
    const json::Array *Elements = Value.getAsArray();
    if (!Elements || Elements->size() != Dimension)
      return createStringError("'" + Entity.str() + "' is no vector of " +
                               Twine(Dimension) + " numbers");
    std::vector<double> &Vector = To[Entity];
    Vector.reserve(Dimension);
    for (const json::Value &Element : *Elements) {
      std::optional<double> Number = Element.getAsNumber();
      if (!Number)
        return createStringError("'" + Entity.str() +
                                 "' has an element that is no number");
      Vector.push_back(*Number);
    }
  }
  return Error::success();
}

Expected<const Vocabulary *> Vocabulary::load(StringRef Name,
                                              ArrayRef<StringRef> Sections,
                                              size_t Dimension) {
  static StringMap<Vocabulary> Known;
  if (auto Found = Known.find(Name); Found != Known.end())
    return &Found->second;
  const std::string File = (Name + ".json").str();
  if (folder().Path.empty())
    return unusable("'" + File + "'", "no folder was named");
  SmallString<128> Path(folder().Path);
  sys::path::append(Path, File);
  auto Read = folder().Files.find(Name);
  if (Read == folder().Files.end())
    return unusable("'" + Path + "'",
                    "there was none when the service started");
  const auto &Buffer = Read->second;
  if (!Buffer)
    return unusable("'" + Path + "'", Buffer.getError().message());
  Expected<json::Value> Parsed = json::parse((*Buffer)->getBuffer());
  if (!Parsed)
    return unusable("'" + Path + "'", toString(Parsed.takeError()));
  const json::Object *Root = Parsed->getAsObject();
  Vocabulary Result;
  for (StringRef Section : Sections) {
    const json::Value *Content = Root ? Root->get(Section) : nullptr;
    if (!Content)
      return unusable("'" + Path + "'", "it has no section '" + Section + "'");
    if (Error E = readSection(*Content, Dimension, Result.Sections[Section]))
      return unusable("'" + Path + "'",
                      "section '" + Section + "': " + toString(std::move(E)));
  }
  return &Known.try_emplace(Name, std::move(Result)).first->second;
}

Vocabulary::Vector Vocabulary::find(StringRef Section, StringRef Entity) const {
  auto In = Sections.find(Section);
  if (In == Sections.end())
    return {};
  auto Found = In->second.find(Entity);
  return Found == In->second.end() ? Vector() : Vector(Found->second);
}
