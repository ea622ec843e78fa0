//===- AllocationGraph.cpp - What cannot share a register -----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//

#include "AllocationGraph.h"
#include "CandidateColumns.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/CodeGen/MachineRegisterInfo.h"
#include "llvm/CodeGen/TargetRegisterInfo.h"
#include "llvm/CodeGen/VirtRegMap.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

/// Which register classes share registers.
class ClassOverlap {
public:
  explicit ClassOverlap(const Allocation &Of)
      : Classes(Of.classes()), MRI(Of.analyses().MF.getRegInfo()),
        TRI(*MRI.getTargetRegisterInfo()) {}

  bool overlap(const LiveInterval &A, const LiveInterval &B) {
    const TargetRegisterClass *Of = MRI.getRegClass(A.reg());
    const TargetRegisterClass *With = MRI.getRegClass(B.reg());
    auto [Known, IsNew] = Cache.try_emplace({Of->getID(), With->getID()});
    if (IsNew)
      Known->second = any_of(Classes.getOrder(Of), [&](MCPhysReg X) {
        return any_of(Classes.getOrder(With),
                      [&](MCPhysReg Y) { return TRI.regsOverlap(X, Y); });
      });
    return Known->second;
  }

private:
  const RegisterClassInfo &Classes;
  const MachineRegisterInfo &MRI;
  const TargetRegisterInfo &TRI;
  DenseMap<std::pair<unsigned, unsigned>, bool> Cache;
};

} // namespace

json::Object mlcompiler::describeInterference(const Allocation &Of) {
  const AllocationAnalyses &A = Of.analyses();
  const MachineRegisterInfo &MRI = A.MF.getRegInfo();
  std::vector<const LiveInterval *> Ranges;
  json::Array Names, Nodes, Edges;
  for (unsigned I = 0, E = MRI.getNumVirtRegs(); I != E; ++I) {
    const Register Reg = Register::index2VirtReg(I);
    if (MRI.reg_nodbg_empty(Reg))
      continue;
    const LiveInterval &LI = A.LIS.getInterval(Reg);
    Ranges.push_back(&LI);
    Names.push_back(nameOf(LI));
    json::Array Numbers;
    for (float Number : describeRange(Of, LI))
      Numbers.push_back(Number);
    const MCRegister Held = A.VRM.getPhys(Reg);
    Numbers.push_back(Held ? 2 : int(Of.isCurrent(LI)));
    Numbers.push_back(Held.id());
    Nodes.push_back(std::move(Numbers));
  }

  // The live ranges are ordered by where they begin, so that most pairs need
  // not be looked at.
  std::vector<size_t> Order;
  for (size_t I = 0; I != Ranges.size(); ++I)
    if (!Ranges[I]->empty())
      Order.push_back(I);
  llvm::sort(Order, [&](size_t X, size_t Y) {
    return std::make_pair(Ranges[X]->beginIndex(), X) <
           std::make_pair(Ranges[Y]->beginIndex(), Y);
  });
  ClassOverlap Classes(Of);
  std::vector<std::pair<size_t, size_t>> Found;
  for (size_t At = 0; At != Order.size(); ++At) {
    const LiveInterval &First = *Ranges[Order[At]];
    for (size_t Other : ArrayRef(Order).drop_front(At + 1)) {
      if (Ranges[Other]->beginIndex() >= First.endIndex())
        break;
      if (Classes.overlap(First, *Ranges[Other]) &&
          First.overlaps(*Ranges[Other]))
        Found.push_back(std::minmax(Order[At], Other));
    }
  }
  llvm::sort(Found);
  for (auto [From, To] : Found)
    Edges.push_back(json::Array{int64_t(From), int64_t(To)});
  return json::Object{{"names", std::move(Names)},
                      {"nodes", std::move(Nodes)},
                      {"edges", std::move(Edges)}};
}
