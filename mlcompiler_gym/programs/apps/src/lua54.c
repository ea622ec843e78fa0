// SPDX-License-Identifier: Apache-2.0
// Scripts in Lua 5.4.
// Sizes: 1 5 20

#include "lua_scripts.h"
