# SPDX-License-Identifier: Apache-2.0
"""An agent that reads the decision as text and answers by name.

Put a language model in the place of `small_bodies`: it takes the text of a decision,
and returns the name of an action.
"""

import argparse
import re

from mlcompiler_gym.integrations.text import TextAction, TextEnv


def small_bodies(text: str) -> str:
    """Inlines what has few instructions, as a reader of the code might."""
    found = re.search(r"^callee instructions: (\d+)$", text, re.MULTILINE)
    if found and int(found[1]) <= 8:
        return "inline"
    return "keep the call"


def main() -> None:
    parser = argparse.ArgumentParser(description="Play one episode as text.")
    parser.add_argument("--program", default="kernels/lz")
    parser.add_argument("--verbose", action="store_true", help="print every decision")
    args = parser.parse_args()
    env = TextEnv("mlcompiler/Inlining-v0", programs=args.program)
    seen = env.reset(seed=0)
    print(seen.text)
    while not seen.done:
        answer = small_bodies(seen.text)
        if args.verbose or env.state.step_count == 0:
            print(f"\n> {answer}\n")
        seen = env.step(TextAction(answer))
        if args.verbose and not seen.done:
            print(seen.text)
    print(f"{env.state.step_count} decisions. {seen.text}\nreward {seen.reward:+.4f}")
    env.close()


if __name__ == "__main__":
    main()
