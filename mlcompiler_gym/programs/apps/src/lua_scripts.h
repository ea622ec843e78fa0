// SPDX-License-Identifier: Apache-2.0
// Scripts that every version of Lua runs: they sort, build and take apart
// strings, call closures and methods, and solve queens. None goes through a
// table in an order that is not its own.

#include "app.h"
#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

static const char *const scripts[] = {
    "local seed = 7\n"
    "local function random(n) seed = (seed * 1103515 + 12345) % 2147483\n"
    "  return seed % n end\n"
    "local t = {}\n"
    "for i = 1, 400 * SIZE do t[i] = random(100000) end\n"
    "table.sort(t)\n"
    "table.sort(t, function(a, b) return a % 1000 < b % 1000\n"
    "  or (a % 1000 == b % 1000 and a < b) end)\n"
    "local s = 0\n"
    "for i, v in ipairs(t) do s = (s * 31 + v * i) % 1000000007 end\n"
    "return tostring(s)\n",

    "local words = {}\n"
    "for i = 1, 60 * SIZE do\n"
    "  words[#words + 1] = string.format('%05x:%s', (i * 7919) % 65536,\n"
    "    string.rep(string.char(97 + i % 26), i % 7)) end\n"
    "local text = table.concat(words, ' ')\n"
    "local n = 0\n"
    "for key, value in text:gmatch('(%x+):(%a*)') do n = n + #value end\n"
    "local other = text:gsub('(%d)(%x)', '%2%1'):upper():reverse()\n"
    "local s = 0\n"
    "for i = 1, #other, 3 do s = (s * 33 + other:byte(i)) % 1000000007 end\n"
    "return n .. '/' .. s .. '/' .. (other:find('A1', 1, true) or 0)\n",

    "local Account = {} Account.__index = Account\n"
    "function Account.new(b) return setmetatable({balance = b}, Account) end\n"
    "function Account:add(v) self.balance = (self.balance + v) % 99991\n"
    "  return self end\n"
    "local function counter() local n = 0\n"
    "  return function(k) n = n + k return n end end\n"
    "local a, c = Account.new(10), counter()\n"
    "for i = 1, 3000 * SIZE do a:add(c(i % 5)) end\n"
    "local ok, e = pcall(function() error({code = 42}) end)\n"
    "local co = coroutine.wrap(function()\n"
    "  for i = 1, 200 * SIZE do coroutine.yield(i * i % 77) end end)\n"
    "local s = 0\n"
    "for i = 1, 200 * SIZE do s = s + co() end\n"
    "return a.balance .. '/' .. e.code .. '/' .. s\n",

    "local found = 0\n"
    "local function place(row, n, cols, d1, d2)\n"
    "  if row > n then found = found + 1 return end\n"
    "  for col = 1, n do\n"
    "    if not (cols[col] or d1[row + col] or d2[row - col + n]) then\n"
    "      cols[col], d1[row + col], d2[row - col + n] = true, true, true\n"
    "      place(row + 1, n, cols, d1, d2)\n"
    "      cols[col], d1[row + col], d2[row - col + n] = false, false, false\n"
    "    end end end\n"
    "for round = 1, SIZE do place(1, 6, {}, {}, {}) end\n"
    "return tostring(found)\n",
};

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 1);
  lua_State *state = luaL_newstate();
  app_check(state != NULL, "a state");
  luaL_openlibs(state);
  lua_pushnumber(state, size);
  lua_setglobal(state, "SIZE");
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
    if (luaL_loadstring(state, scripts[i]) || lua_pcall(state, 0, 1, 0))
      app_check(false, lua_tostring(state, -1));
    const char *result = lua_tostring(state, -1);
    puts(result);
    sum = kernel_checksum(sum, result, strlen(result));
    lua_pop(state, 1);
  }
  lua_close(state);
  app_finish("lua", sum);
  return 0;
}
