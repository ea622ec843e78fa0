// SPDX-License-Identifier: Apache-2.0
//
// Plays an episode of inlining on a server, with gRPC and the .proto alone
// (Debian: libgrpc++-dev, pkg-config, protobuf-compiler-grpc):
//
//   P=mlcompiler_gym/v1/compiler_service
//   protoc -I protos --cpp_out=build --grpc_out=build \
//     --plugin=protoc-gen-grpc=$(command -v grpc_cpp_plugin) protos/$P.proto
//   c++ -Ibuild examples/clients/inlining.cpp build/$P.pb.cc \
//     build/$P.grpc.pb.cc $(pkg-config --cflags --libs grpc++ protobuf) \
//     -o build/inlining
//   build/inlining 127.0.0.1:5051 program.bc program.o
//
// It inlines every other call, uploads the program first if the server does not
// have it, and writes the object.

#include "mlcompiler_gym/v1/compiler_service.grpc.pb.h"
#include <cstdint>
#include <fstream>
#include <grpcpp/grpcpp.h>
#include <iostream>
#include <iterator>
#include <stdexcept>

namespace proto = mlcompiler_gym::v1;

namespace {

/// A session: one stream, one reply to each request.
class Session {
public:
  explicit Session(proto::CompilerService::Stub &Stub)
      : Stream(Stub.Session(&Context)) {}

  proto::Reply ask(const proto::Request &Request) {
    proto::Reply Reply;
    if (!Stream->Write(Request) || !Stream->Read(&Reply))
      throw std::runtime_error("the stream has ended: " +
                               Stream->Finish().error_message());
    if (Reply.has_error())
      throw std::runtime_error(Reply.error().message());
    return Reply;
  }

  void end() {
    Stream->WritesDone();
    Stream->Finish();
  }

private:
  grpc::ClientContext Context;
  std::unique_ptr<grpc::ClientReaderWriter<proto::Request, proto::Reply>>
      Stream;
};

std::string read(const char *Path) {
  std::ifstream File(Path, std::ios::binary);
  if (!File)
    throw std::runtime_error(std::string("cannot read ") + Path);
  return {std::istreambuf_iterator<char>(File), {}};
}

void play(const char *Address, const char *Program, const char *Object) {
  auto Stub = proto::CompilerService::NewStub(
      grpc::CreateChannel(Address, grpc::InsecureChannelCredentials()));
  Session S(*Stub);

  proto::Request Upload;
  Upload.mutable_upload()->set_program(read(Program));

  proto::Request Open;
  Open.mutable_open()->set_task("inlining");
  Open.mutable_open()->add_objectives("text_size");
  Open.mutable_open()->set_program_sha256(S.ask(Upload).upload().sha256());
  proto::State State = S.ask(Open).open().state();

  // A state has the features of the next decision, or the outcome.
  while (State.has_features()) {
    // An action of this task is an int64, little-endian as all tensors are.
    const int64_t Action = State.decisions() % 2;
    std::string Bytes(sizeof(Action), '\0');
    for (size_t I = 0; I != Bytes.size(); ++I)
      Bytes[I] = static_cast<char>(Action >> (8 * I));
    proto::Request Step;
    Step.mutable_step()->set_actions(Bytes);
    State = S.ask(Step).step();
  }

  proto::Request Emit;
  Emit.mutable_emit()->set_format(proto::Emit::OBJECT);
  std::ofstream(Object, std::ios::binary) << S.ask(Emit).emit().data();
  S.end();
  std::cout << State.decisions() << " decisions";
  for (const proto::Measurement &M : State.outcome().measurements())
    std::cout << ", " << M.objective() << ' ' << M.value();
  std::cout << '\n';
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 4) {
    std::cerr << "usage: inlining HOST:PORT PROGRAM.bc OBJECT.o\n";
    return 2;
  }
  try {
    play(argv[1], argv[2], argv[3]);
  } catch (const std::exception &E) {
    std::cerr << E.what() << '\n';
    return 1;
  }
}
