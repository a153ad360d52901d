/**
 * Lua as Argo CD runs it: a script gets `obj` and returns a value, and has the basic functions and those of tables. `string`, `math` and `io` are not
 * there, and of `os` the time alone, by `require`.
 */
import fengari from 'fengari';

const { lua, lauxlib, lualib, to_luastring: bytes, to_jsstring: fromBytes } = fengari;
type State = ReturnType<typeof lauxlib.luaL_newstate>;

/** Runs the script with this `obj`. Throws with the words of Lua where it fails. */
export function runLua(script: string, obj: unknown): unknown {
  const state = lauxlib.luaL_newstate();
  for (const [name, open] of [
    ['_G', lualib.luaopen_base],
    ['table', lualib.luaopen_table],
  ] as const) {
    lauxlib.luaL_requiref(state, bytes(name), open, 1);
    lua.lua_pop(state, 1);
  }
  lua.lua_pushcfunction(state, requireTime);
  lua.lua_setglobal(state, bytes('require'));
  push(state, obj);
  lua.lua_setglobal(state, bytes('obj'));
  const loaded = lauxlib.luaL_loadstring(state, bytes(script));
  const ended = loaded === lua.LUA_OK ? lua.lua_pcall(state, 0, 1, 0) : loaded;
  const value = read(state, -1);
  if (ended !== lua.LUA_OK) throw new Error(String(value));
  return value;
}

function requireTime(state: State): number {
  const name = read(state, 1);
  if (name !== 'os') throw new Error(`Argo CD has no library ${String(name)}`);
  lua.lua_createtable(state, 0, 1);
  lua.lua_pushcfunction(state, date);
  lua.lua_setfield(state, -2, bytes('date'));
  return 1;
}

/** As Argo CD's own: a format that begins with `!` is of UTC. The one of this interpreter leaves the `!` in what it writes. */
function date(state: State): number {
  const format = String(read(state, 1));
  if (!format.startsWith('!')) throw new Error('a time without its zone');
  const [day = '', time = ''] = new Date().toISOString().split(/[T.]/);
  const [year = '', month = '', ofMonth = ''] = day.split('-');
  const parts: Readonly<Record<string, string>> = { '%Y': year, '%m': month, '%d': ofMonth, '%X': time };
  lua.lua_pushstring(state, bytes(format.slice(1).replaceAll(/%./g, (part) => parts[part] ?? part)));
  return 1;
}

function push(state: State, value: unknown): void {
  if (value === null || value === undefined) lua.lua_pushnil(state);
  else if (typeof value === 'boolean') lua.lua_pushboolean(state, value);
  else if (typeof value === 'number') lua.lua_pushnumber(state, value);
  else if (typeof value === 'string') lua.lua_pushstring(state, bytes(value));
  else pushTable(state, value);
}

/** Lists count from one. */
function pushTable(state: State, value: object): void {
  lua.lua_createtable(state, 0, 0);
  for (const [key, each] of Object.entries(value)) {
    push(state, Array.isArray(value) ? Number(key) + 1 : key);
    push(state, each);
    lua.lua_settable(state, -3);
  }
}

function read(state: State, at: number): unknown {
  switch (lua.lua_type(state, at)) {
    case lua.LUA_TBOOLEAN:
      return lua.lua_toboolean(state, at);
    case lua.LUA_TNUMBER:
      return lua.lua_tonumber(state, at);
    case lua.LUA_TSTRING:
      return fromBytes(lua.lua_tostring(state, at));
    case lua.LUA_TTABLE:
      return readTable(state, lua.lua_absindex(state, at));
    default:
      return null;
  }
}

function readTable(state: State, at: number): unknown {
  const entries: [string, unknown][] = [];
  lua.lua_pushnil(state);
  while (lua.lua_next(state, at) !== 0) {
    entries.push([String(read(state, -2)), read(state, -1)]);
    lua.lua_pop(state, 1);
  }
  const isList = entries.length > 0 && entries.every(([key], index) => key === String(index + 1));
  return isList ? entries.map(([, value]) => value) : Object.fromEntries(entries);
}
