//===- Episodes.cpp - Episodes played by copies ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "Episodes.h"
#include "CrashReport.h"
#include "Wire.h"
#include <malloc.h>

using namespace mlcompiler;

/// Bytes that the episodes of one reply may have. The reply has some more.
static constexpr size_t MostBytes = MaxFrameBytes / 4 * 3;

Episodes::Episodes(const proto::Play &Request)
    : Wanted(Request.episodes()),
      Playing(Request.parallel(), [this](size_t Number, proto::Reply Report) {
        take(Number, std::move(Report));
      }) {}

bool Episodes::mayBegin() const {
  if (Begun == 0)
    return true;
  if (Begun == Wanted || Playing.isLate())
    return false;
  // The episodes under way may be as large as the ones before.
  const size_t Mean = Done ? Bytes / Done : 0;
  return Bytes + Mean * (Begun - Done + 1) <= MostBytes;
}

std::optional<int> Episodes::play() {
  crash::DeadlineHold Hold;
  // Memory that is not in use takes time to copy, as in Session::fork().
  malloc_trim(0);
  while (mayBegin()) {
    Played.emplace_back();
    if (std::optional<int> Pipe = Playing.start(Begun++))
      return Pipe;
  }
  Playing.finish();
  return std::nullopt;
}

void Episodes::take(size_t Number, proto::Reply Report) {
  auto Result = std::make_unique<proto::Episode>();
  if (Report.has_error()) {
    *Result->mutable_error() = std::move(*Report.mutable_error());
    // The copy has ended, but this session has not.
    Result->mutable_error()->set_session_ended(false);
  } else {
    *Result->mutable_played() = std::move(*Report.mutable_play());
  }
  Bytes += Result->ByteSizeLong();
  ++Done;
  Played[Number] = std::move(Result);
}

void Episodes::finish(proto::PlayReply &Reply) {
  size_t Filled = 0;
  for (const auto &Each : Played) {
    Filled += Each->ByteSizeLong();
    if (Reply.episodes_size() && Filled > MostBytes)
      return;
    *Reply.add_episodes() = std::move(*Each);
  }
}
