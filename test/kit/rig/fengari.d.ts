/** What test/kit/rig/lua.ts uses of it: the package has no types of its own. */
declare module 'fengari' {
  /** A state of Lua. */
  type LuaState = { readonly __state: unique symbol };
  type Bytes = Uint8Array;
  type Opener = (state: LuaState) => number;

  const fengari: {
    readonly lua: {
      readonly LUA_OK: number;
      readonly LUA_TBOOLEAN: number;
      readonly LUA_TNUMBER: number;
      readonly LUA_TSTRING: number;
      readonly LUA_TTABLE: number;
      lua_absindex(state: LuaState, at: number): number;
      lua_createtable(state: LuaState, items: number, fields: number): void;
      lua_next(state: LuaState, at: number): number;
      lua_pcall(state: LuaState, args: number, results: number, handler: number): number;
      lua_pop(state: LuaState, count: number): void;
      lua_pushboolean(state: LuaState, value: boolean): void;
      lua_pushcfunction(state: LuaState, call: Opener): void;
      lua_pushnil(state: LuaState): void;
      lua_pushnumber(state: LuaState, value: number): void;
      lua_pushstring(state: LuaState, value: Bytes): void;
      lua_setfield(state: LuaState, at: number, name: Bytes): void;
      lua_setglobal(state: LuaState, name: Bytes): void;
      lua_settable(state: LuaState, at: number): void;
      lua_toboolean(state: LuaState, at: number): boolean;
      lua_tonumber(state: LuaState, at: number): number;
      lua_tostring(state: LuaState, at: number): Bytes;
      lua_type(state: LuaState, at: number): number;
    };
    readonly lauxlib: {
      luaL_loadstring(state: LuaState, script: Bytes): number;
      luaL_newstate(): LuaState;
      luaL_requiref(state: LuaState, name: Bytes, open: Opener, isGlobal: 0 | 1): void;
    };
    readonly lualib: { readonly luaopen_base: Opener; readonly luaopen_table: Opener };
    to_luastring(text: string): Bytes;
    to_jsstring(bytes: Bytes): string;
  };
  export default fengari;
}
