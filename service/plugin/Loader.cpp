//===- Loader.cpp - What a compiler loads ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The plugin that is named on a command line. It uses nothing of LLVM, and so
/// can be loaded into any LLVM. If the host is the LLVM that the other half was
/// built for, it loads the other half. Otherwise, it does nothing but warn. A
/// plugin that is linked to another LLVM than its host would bring a second
/// LLVM into the process, or end the compile with an error.
///
//===----------------------------------------------------------------------===//

#include "Plugin.h"
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <string>

namespace {

/// What LLVM asks a plugin for (llvm/Plugins/PassPlugin.h). The last member
/// exists from version 2 on. An earlier LLVM has no room for it.
struct PluginInfo {
  uint32_t Version;
  const char *Name;
  const char *PluginVersion;
  void (*Register)(llvm::PassBuilder &);
  void *PreCodeGen;
};

using Registering = void (*)(llvm::PassBuilder *);

} // namespace

/// If a process has several copies of the plugin, the linker lets all of them
/// see the first copy's variable.
extern "C" __attribute__((visibility("default"))) const char mlcg_plugin_first =
    0;

static void warn(const std::string &What) {
  std::fprintf(stderr,
               "warning: mlcompiler_gym: %s, and LLVM decides by itself. "
               "Leave the plugin out, or use it with clang-22, opt-22 or "
               "llc-22 as Debian builds them\n",
               What.c_str());
}

static std::string fileOf(const void *Address) {
  Dl_info Info;
  if (!dladdr(Address, &Info) || !Info.dli_fname)
    return "";
  return Info.dli_fname;
}

/// Loads the other half, if this process has the LLVM that it is for.
static Registering loadOther() {
  if (!dlopen(MLCG_LLVM_LIBRARY, RTLD_LAZY | RTLD_NOLOAD))
    return nullptr;
  // The other half is beside the first copy, so that it registers with LLVM
  // only once.
  std::string Path = fileOf(&mlcg_plugin_first);
  Path = Path.substr(0, Path.rfind('/') + 1) + MLCG_PLUGIN_LIBRARY;
  // It is never unloaded, because LLVM keeps references to it.
  void *Other = dlopen(Path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!Other) {
    warn(std::string("the plugin cannot be loaded: ") + dlerror());
    return nullptr;
  }
  return reinterpret_cast<Registering>(dlsym(Other, "mlcg_plugin_register"));
}

/// The other half is loaded at once, so that its options are known when the
/// command line is read.
static const Registering Other = loadOther();

static void registerNothing(llvm::PassBuilder &) {}
static void registerOther(llvm::PassBuilder &PB) { Other(&PB); }

/// The version of plugins that the LLVM in a file takes.
static uint32_t versionOf(const std::string &Library) {
  const char *Names[] = {"libLLVM.so.", "libLLVM-"};
  for (const char *Name : Names) {
    size_t At = Library.rfind(Name);
    if (At == std::string::npos)
      continue;
    int Major = 0;
    std::sscanf(Library.c_str() + At + std::strlen(Name), "%d", &Major);
    return Major < 22 ? 1 : 2;
  }
  // LLVM is part of the program. From version 16 on, it can say which version
  // it is.
  auto GetVersion =
      reinterpret_cast<void (*)(unsigned *, unsigned *, unsigned *)>(
          dlsym(RTLD_DEFAULT, "LLVMGetVersion"));
  unsigned Major = 0;
  if (GetVersion)
    GetVersion(&Major, nullptr, nullptr);
  return Major < 22 ? 1 : 2;
}

extern "C" __attribute__((visibility("default"))) PluginInfo
llvmGetPassPluginInfo() {
  PluginInfo Info;
  const std::string Host = fileOf(__builtin_return_address(0));
  Info.Version = versionOf(Host);
  Info.Name = "mlcompiler_gym";
  Info.PluginVersion = MLCOMPILER_GYM_VERSION;
  const std::string Wanted = std::string("/") + MLCG_LLVM_LIBRARY;
  const bool IsHost =
      Host.size() >= Wanted.size() &&
      Host.compare(Host.size() - Wanted.size(), Wanted.size(), Wanted) == 0;
  if (!IsHost)
    warn("the plugin is for " MLCG_LLVM_LIBRARY ", and this compiler has " +
         (Host.empty() ? "another LLVM" : Host));
  Info.Register = IsHost && Other ? registerOther : registerNothing;
  if (Info.Version > 1)
    Info.PreCodeGen = nullptr;
  return Info;
}
