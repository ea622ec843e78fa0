# SPDX-License-Identifier: Apache-2.0
"""Lists of passes that searches over pass orderings begin with and choose among."""

from __future__ import annotations

#: LLVM's own pipeline as one action.
OZ = "default<Oz>"

_CLEANUP = "instcombine<no-verify-fixpoint>"
_LATE_SIMPLIFYCFG = (
    "simplifycfg<bonus-inst-threshold=1;forward-switch-cond;switch-range-to-icmp;"
    "switch-to-lookup;no-keep-loops;hoist-common-insts;sink-common-insts>"
)

#: The passes of ``-Oz`` that change the code of C and C++, one by one and in order.
#: What it does bottom-up in the call graph is one of them, ``scc-oz-module-inliner``.
OZ_PASSES: tuple[str, ...] = (
    "inferattrs",
    "lower-expect",
    "simplifycfg",
    "sroa<modify-cfg>",
    "early-cse",
    "ipsccp",
    "called-value-propagation",
    "globalopt",
    "mem2reg",
    _CLEANUP,
    "simplifycfg",
    "scc-oz-module-inliner",
    "deadargelim",
    "globalopt",
    "globaldce",
    "elim-avail-extern",
    "rpo-function-attrs",
    "recompute-globalsaa",
    "float2int",
    "lower-constant-intrinsics",
    "loop-rotate<no-header-duplication>",
    "loop-deletion",
    _CLEANUP,
    _LATE_SIMPLIFYCFG,
    "vector-combine",
    _CLEANUP,
    "sroa",
    _CLEANUP,
    "loop-mssa(licm)",
    "alignment-from-assumptions",
    "loop-sink",
    "instsimplify",
    "div-rem-pairs",
    "tailcallelim",
    "simplifycfg",
    "globaldce",
    "constmerge",
)

#: What LLVM runs by itself for x86-64 at one level or another, in its pipelines or
#: before code generation; and ``mergefunc`` and ``iroutliner``, which other compilers
#: switch on. Passes that LLVM leaves switched off for their mistakes are not among
#: them, nor is the attributor: what is found is run on code that cannot be tested.
PASSES: tuple[str, ...] = (
    OZ,
    *dict.fromkeys(OZ_PASSES),
    "adce",
    "aggressive-instcombine",
    "always-inline",
    "argpromotion",
    "bdce",
    "callsite-splitting",
    "constraint-elimination",
    "consthoist",
    "correlated-propagation",
    "drop-unnecessary-assumes",
    "dse",
    "early-cse<memssa>",
    "function-attrs",
    "gvn",
    "indvars",
    "infer-alignment",
    "inline",
    "iroutliner",
    "jump-threading",
    "loop-distribute",
    "loop-idiom",
    "loop-instsimplify",
    "loop-load-elim",
    "loop-mssa(licm<no-allowspeculation>)",
    "loop-rotate",
    "loop-simplifycfg",
    "loop-unroll",
    "loop-unroll-full",
    "loop-vectorize",
    "memcpyopt",
    "mergefunc",
    "mergeicmps",
    "mldst-motion",
    "move-auto-init",
    "partially-inline-libcalls",
    "reassociate",
    "sccp",
    "simple-loop-unswitch",
    "slp-vectorizer",
    "speculative-execution",
    "strip-dead-prototypes",
)
