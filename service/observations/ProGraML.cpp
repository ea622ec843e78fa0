//===- ProGraML.cpp - Control, data and calls in one graph ----------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
// Cummins, Fisches, Ben-Nun, Hoefler, O'Boyle, Leather: ProGraML: A Graph-based
// Program Representation for Data Flow Analysis and Compiler Optimizations
// (ICML 2021).
//
//===----------------------------------------------------------------------===//

#include "GraphSource.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;
using namespace mlcompiler;

namespace {

// Numbered as in the paper's implementation.
enum NodeKind { Statement, Variable, Constant };
enum Flow { Control, Data, Call };

class ProGraML : public GraphSource {
  void describeColumns(proto::TensorSpec &Nodes,
                       proto::TensorSpec &Edges) const override;
  void build(Module &M, Graph &To) const override;
};

class Builder {
public:
  Builder(Graph &To) : To(To) {}
  void build(const Module &M);

private:
  /// The statements at which control enters and leaves a function.
  struct Ends {
    int64_t Entry;
    SmallVector<int64_t, 1> Exits;
  };

  struct Edge {
    int64_t Position, Source, Target;
  };

  int64_t addNode(NodeKind Kind, unsigned Opcode, const Type *T,
                  int64_t Function, int64_t Block);
  void addEdge(Flow Kind, uint64_t Position, int64_t Source, int64_t Target) {
    Edges[Kind].push_back({static_cast<int64_t>(Position), Source, Target});
  }
  void addNodes(const Function &F);
  void addControl(const BasicBlock &BB);
  void addData(const Instruction &I);
  void addUse(const Value &V, uint64_t Position, int64_t User);
  void addCall(int64_t From, const Function &Callee);

  Graph &To;
  int64_t FunctionCount = 0;
  int64_t BlockCount = 0;
  DenseMap<const Function *, Ends> Functions;
  DenseMap<const Instruction *, int64_t> Statements;
  /// The nodes of variables and constants.
  DenseMap<const Value *, int64_t> Values;
  std::vector<Edge> Edges[Call + 1];
};

} // namespace

void ProGraML::describeColumns(proto::TensorSpec &Nodes,
                               proto::TensorSpec &Edges) const {
  Nodes.add_shape(7);
  Nodes.set_low(-1);
  Nodes.set_doc(
      "Node 0 is what is outside; then the functions' instructions and "
      "variables, then the constants. Columns: kind (0 instruction, 1 "
      "variable, 2 constant), opcode (Instruction::getOpcode(); 0 if none), "
      "type of the value or of a vector's element (Type::TypeID), its bits "
      "(0 if it is neither an integer nor floating-point), elements of the "
      "vector (1 if none), function and basic block, counted through the "
      "module (-1 if none).");
  Edges.add_shape(2);
  Edges.set_doc("Columns: flow (0 control, 1 data, 2 call) and position "
                "(which successor, which operand; otherwise 0).");
}

void ProGraML::build(Module &M, Graph &To) const { Builder(To).build(M); }

void Builder::build(const Module &M) {
  const int64_t Root =
      addNode(Statement, /*Opcode=*/0, Type::getVoidTy(M.getContext()),
              /*Function=*/-1, /*Block=*/-1);
  for (const Function &F : M)
    addNodes(F);
  for (const Function &F : M) {
    addCall(Root, F);
    for (const BasicBlock &BB : F)
      addControl(BB);
    for (const Instruction &I : instructions(F))
      addData(I);
  }
  for (const Function &F : M)
    for (const Instruction &I : instructions(F))
      if (const auto *Site = dyn_cast<CallBase>(&I))
        if (const Function *Callee = Site->getCalledFunction())
          addCall(Statements.lookup(&I), *Callee);
  for (int64_t Kind : {Control, Data, Call})
    for (const Edge &E : Edges[Kind])
      To.addEdge({Kind, E.Position}, E.Source, E.Target);
}

int64_t Builder::addNode(NodeKind Kind, unsigned Opcode, const Type *T,
                         int64_t Function, int64_t Block) {
  const auto *Vector = dyn_cast<VectorType>(T);
  return To.addNode({Kind, Opcode, T->getScalarType()->getTypeID(),
                     T->getScalarSizeInBits(),
                     Vector ? Vector->getElementCount().getKnownMinValue() : 1,
                     Function, Block});
}

void Builder::addNodes(const Function &F) {
  const int64_t Number = FunctionCount++;
  Ends &Of = Functions[&F];
  if (F.isDeclaration()) {
    Of.Entry = addNode(Statement, /*Opcode=*/0, F.getReturnType(), Number,
                       /*Block=*/-1);
    Of.Exits.push_back(Of.Entry);
    return;
  }
  const int64_t FirstBlock = BlockCount;
  for (const BasicBlock &BB : F) {
    for (const Instruction &I : BB)
      Statements[&I] =
          addNode(Statement, I.getOpcode(), I.getType(), Number, BlockCount);
    if (succ_empty(&BB))
      Of.Exits.push_back(Statements.lookup(BB.getTerminator()));
    ++BlockCount;
  }
  Of.Entry = Statements.lookup(&F.getEntryBlock().front());
  for (const Argument &A : F.args())
    if (!A.use_empty())
      Values[&A] = addNode(Variable, /*Opcode=*/0, A.getType(), Number,
                           /*Block=*/-1);
  int64_t Block = FirstBlock;
  for (const BasicBlock &BB : F) {
    for (const Instruction &I : BB)
      if (!I.use_empty())
        Values[&I] =
            addNode(Variable, /*Opcode=*/0, I.getType(), Number, Block);
    ++Block;
  }
}

void Builder::addControl(const BasicBlock &BB) {
  for (const Instruction &I : BB) {
    const int64_t From = Statements.lookup(&I);
    if (const Instruction *Next = I.getNextNode())
      addEdge(Control, 0, From, Statements.lookup(Next));
    else
      for (auto [Position, Successor] : enumerate(successors(&BB)))
        addEdge(Control, Position, From,
                Statements.lookup(&Successor->front()));
  }
}

void Builder::addData(const Instruction &I) {
  const int64_t Here = Statements.lookup(&I);
  for (const Use &U : I.operands())
    addUse(*U, U.getOperandNo(), Here);
  // Since LLVM 22 the values of cases are no operands. A case has the place of
  // its successor.
  if (const auto *Switch = dyn_cast<SwitchInst>(&I))
    for (const auto &Case : Switch->cases())
      addUse(*Case.getCaseValue(), Case.getSuccessorIndex(), Here);
  if (auto Result = Values.find(&I); Result != Values.end())
    addEdge(Data, 0, Here, Result->second);
}

void Builder::addUse(const Value &V, uint64_t Position, int64_t User) {
  // Calls are edges to functions. Blocks, inline assembly and metadata are no
  // data.
  const bool IsConstant = isa<llvm::Constant>(V) && !isa<Function>(V);
  if (!IsConstant && !isa<Argument, Instruction>(V))
    return;
  auto [Known, IsNew] = Values.try_emplace(&V, 0);
  if (IsNew)
    Known->second = addNode(Constant, /*Opcode=*/0, V.getType(),
                            /*Function=*/-1, /*Block=*/-1);
  addEdge(Data, Position, Known->second, User);
}

void Builder::addCall(int64_t From, const Function &Callee) {
  const Ends &Of = Functions.find(&Callee)->second;
  addEdge(Call, 0, From, Of.Entry);
  for (int64_t Exit : Of.Exits)
    addEdge(Call, 0, Exit, From);
}

static ObservationRegistry::Add<ProGraML>
    X("programl", "Instructions, variables and constants with the flow of "
                  "control, data and calls (Cummins et al., ProGraML, ICML "
                  "2021).");
