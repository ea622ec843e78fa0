//===- AllocationGraph.cpp - What cannot share a register -----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "AllocationGraph.h"
#include "AllocationFeatures.h"
#include "CandidateColumns.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/CodeGen/MachineRegisterInfo.h"
#include "llvm/CodeGen/TargetRegisterInfo.h"
#include "llvm/CodeGen/VirtRegMap.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Counts registers that two classes share.
class ClassOverlap {
public:
  explicit ClassOverlap(const Allocation &Of)
      : Classes(Of.classes()), MRI(Of.analyses().MF.getRegInfo()),
        TRI(*MRI.getTargetRegisterInfo()) {}

  /// How many of the registers of \p A overlap one of \p B.
  int64_t count(const LiveInterval &A, const LiveInterval &B) {
    const TargetRegisterClass *Of = MRI.getRegClass(A.reg());
    const TargetRegisterClass *With = MRI.getRegClass(B.reg());
    auto [Known, IsNew] = Cache.try_emplace({Of->getID(), With->getID()});
    if (IsNew)
      Known->second = count_if(Classes.getOrder(Of), [&](MCPhysReg X) {
        return any_of(Classes.getOrder(With),
                      [&](MCPhysReg Y) { return TRI.regsOverlap(X, Y); });
      });
    return Known->second;
  }

private:
  const RegisterClassInfo &Classes;
  const MachineRegisterInfo &MRI;
  const TargetRegisterInfo &TRI;
  DenseMap<std::pair<unsigned, unsigned>, int64_t> Cache;
};

} // namespace

static std::vector<InterferenceGraph::Edge>
findEdges(const Allocation &Of, ArrayRef<const LiveInterval *> Ranges) {
  // The live ranges are ordered by where they begin, so that most pairs need
  // not be looked at.
  std::vector<int64_t> Order;
  for (size_t I = 0; I != Ranges.size(); ++I)
    if (!Ranges[I]->empty())
      Order.push_back(I);
  llvm::sort(Order, [&](int64_t X, int64_t Y) {
    return std::make_pair(Ranges[X]->beginIndex(), X) <
           std::make_pair(Ranges[Y]->beginIndex(), Y);
  });
  ClassOverlap Classes(Of);
  std::vector<InterferenceGraph::Edge> Found;
  for (size_t At = 0; At != Order.size(); ++At) {
    const LiveInterval &First = *Ranges[Order[At]];
    for (int64_t Other : ArrayRef(Order).drop_front(At + 1)) {
      if (Ranges[Other]->beginIndex() >= First.endIndex())
        break;
      const auto [Source, Target] = std::minmax(Order[At], Other);
      if (int64_t Shared = Classes.count(*Ranges[Source], *Ranges[Target]);
          Shared && First.overlaps(*Ranges[Other]))
        Found.push_back({Source, Target, Shared});
    }
  }
  llvm::sort(Found, [](const auto &X, const auto &Y) {
    return std::make_pair(X.Source, X.Target) <
           std::make_pair(Y.Source, Y.Target);
  });
  return Found;
}

InterferenceGraph mlcompiler::describeInterference(const Allocation &Of) {
  const AllocationAnalyses &A = Of.analyses();
  const MachineRegisterInfo &MRI = A.MF.getRegInfo();
  InterferenceGraph Graph;
  std::vector<const LiveInterval *> Ranges;
  for (unsigned I = 0, E = MRI.getNumVirtRegs(); I != E; ++I) {
    const Register Reg = Register::index2VirtReg(I);
    if (MRI.reg_nodbg_empty(Reg))
      continue;
    const LiveInterval &LI = A.LIS.getInterval(Reg);
    Ranges.push_back(&LI);
    InterferenceGraph::Node &Node = Graph.Nodes.emplace_back();
    Node.VirtualRegister = Reg.id();
    Node.Name = nameOf(LI);
    llvm::copy(describeRange(Of, LI), Node.Numbers.begin());
    const MCRegister Held = A.VRM.getPhys(Reg);
    Node.Numbers[RangeFeatureCount] = Held ? 2 : Of.isCurrent(LI);
    Node.Numbers[RangeFeatureCount + 1] = Held.id();
  }
  Graph.Edges = findEdges(Of, Ranges);
  return Graph;
}
