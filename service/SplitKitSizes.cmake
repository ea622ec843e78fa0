# Finds how much memory LLVM's greedy allocator reserves for the two classes of its
# splitter, whose header LLVM does not install. The allocator is read from the archive
# that is linked. tasks/SplitKit.h declares the classes, and compares their sizes with
# this when it is compiled.

set(split_dir ${CMAKE_CURRENT_BINARY_DIR}/splitkit)
file(MAKE_DIRECTORY ${split_dir})
execute_process(
  COMMAND ${LLVM_TOOLS_BINARY_DIR}/llvm-ar x ${LLVM_LIBRARY_DIR}/libLLVMCodeGen.a RegAllocGreedy.cpp.o
  WORKING_DIRECTORY ${split_dir}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(
  COMMAND ${LLVM_TOOLS_BINARY_DIR}/llvm-objdump -d -r --no-show-raw-insn --demangle
    --disassemble-symbols=llvm::RAGreedy::run\(llvm::MachineFunction&\) RegAllocGreedy.cpp.o
  WORKING_DIRECTORY ${split_dir}
  OUTPUT_VARIABLE split_code
  COMMAND_ERROR_IS_FATAL ANY)

# The last number that goes into the first argument of operator new before the
# constructor is called.
function(split_bytes class variable)
  string(FIND "${split_code}" "llvm::${class}::${class}(" at)
  string(SUBSTRING "${split_code}" 0 ${at} before)
  string(REGEX MATCHALL "(\\$0x[0-9a-f]+, %edi|w0, #0x[0-9a-f]+)[^\n]*\n[^\n]*(callq|bl)[^\n]*\n[^\n]*operator new" calls "${before}")
  if(at EQUAL -1 OR NOT calls)
    message(FATAL_ERROR "${LLVM_LIBRARY_DIR}/libLLVMCodeGen.a does not say how large llvm::${class} is; "
                        "service/SplitKitSizes.cmake has to be brought in line with this LLVM")
  endif()
  list(GET calls -1 call)
  string(REGEX MATCH "0x[0-9a-f]+" bytes "${call}")
  set(${variable} ${bytes} PARENT_SCOPE)
endfunction()

split_bytes(SplitAnalysis split_analysis_bytes)
split_bytes(SplitEditor split_editor_bytes)
# The sizes go into a header. On the command line they would be part of every file's.
file(CONFIGURE OUTPUT SplitKitSizes.h CONTENT
"// Written by service/SplitKitSizes.cmake.
constexpr unsigned long SplitAnalysisBytes = @split_analysis_bytes@;
constexpr unsigned long SplitEditorBytes = @split_editor_bytes@;
" @ONLY)
