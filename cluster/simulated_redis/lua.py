"""Scripts of a Redis, by a real Lua 5.1 (https://valkey.io/topics/lua-api/)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cluster.simulated_redis.resp import CommandError, Reply, Scored, double

try:
    import lupa.lua51 as lua
except ImportError:
    lua = None

MAX_SCRIPTS = 1_000
"""Compiled ones that are kept."""
REMEDY = "the simulated Redis runs its scripts with lupa, which is not here: `pip install 'xmpplab[simulate]'`"

_LIBRARY = b"""
local call, pcall_, unpack_ = ...
redis = {call = call, pcall = pcall_}
cmsgpack = {unpack = unpack_}
setmetatable(_G, {
  __index = function(_, name) error("Script attempted to access nonexistent global variable '" .. name .. "'", 2) end,
  __newindex = function() error('Attempt to modify a readonly table', 2) end,
})
"""


def is_here() -> bool:
    """Whether scripts can be run."""
    return lua is not None


class Scripts:
    """Runs scripts: the same text gives the same function. A script sees the replies of RESP2."""

    def __init__(self, call: Callable[[list[bytes]], Reply]) -> None:
        """`call` does a command of a script. Raises CommandError."""
        if lua is None:
            raise RuntimeError(REMEDY)
        self._command = call
        self._lua = lua.LuaRuntime(encoding=None, register_eval=False, register_builtins=False)
        self._table = self._lua.table_from
        self._lua.execute(_LIBRARY, self._call, self._pcall, self._unpack)
        self._compiled: dict[bytes, Any] = {}

    def run(self, text: bytes, keys: list[bytes], arguments: list[bytes]) -> Reply:
        """Run one. Raises CommandError."""
        script = self._compiled.get(text)
        if script is None:
            script = self._compile(text)
        try:
            result = script(self._table(keys), self._table(arguments))
        except lua.LuaError as error:
            raise CommandError(f"ERR {str(error).partition(chr(10))[0]}") from None
        reply = self._reply(result)
        if isinstance(reply, CommandError):
            raise reply
        return reply

    def _compile(self, text: bytes) -> Any:
        if len(self._compiled) >= MAX_SCRIPTS:
            self._compiled.clear()
        try:
            script = self._lua.execute(b"return function(KEYS, ARGV) " + text + b"\nend", name=b"@user_script")
        except lua.LuaSyntaxError as error:
            raise CommandError(f"ERR Error compiling script (new function): {error}") from None
        self._compiled[text] = script
        return script

    # --- what a script calls

    def _call(self, *words: Any) -> Any:
        return self._value(self._command([_argument(word) for word in words]))

    def _pcall(self, *words: Any) -> Any:
        try:
            return self._call(*words)
        except CommandError as error:
            return self._table({b"err": error.text.encode()})

    def _unpack(self, packed: bytes) -> Any:
        return self._value(_as_reply(msgspec.msgpack.decode(packed)))

    def _value(self, reply: Reply) -> Any:
        """A reply in Lua: null is false."""
        kind = type(reply)
        if kind is bytes or kind is int:
            return reply
        if reply is None:
            return False
        if kind is str:
            return self._table({b"ok": reply.encode()})
        if kind is float:
            return double(reply)
        if kind is dict or kind is Scored:
            pairs = reply.items() if kind is dict else reply
            return self._table([self._value(part) for pair in pairs for part in pair])
        return self._table([self._value(each) for each in reply])

    def _reply(self, value: Any) -> Reply:
        """What a script returns; the fractions of numbers are cut off."""
        if value is None or value is False:
            return None
        if isinstance(value, (bytes, bool, int, float)):
            return value if isinstance(value, bytes) else int(value)
        if (error := value[b"err"]) is not None:
            return CommandError(error.decode())
        if (status := value[b"ok"]) is not None:
            return status.decode()
        parts: list[Reply] = []
        while (part := value[len(parts) + 1]) is not None:
            parts.append(self._reply(part))
        return parts


def _argument(word: Any) -> bytes:
    if isinstance(word, bytes):
        return word
    if isinstance(word, (int, float)) and not isinstance(word, bool):
        return b"%d" % word if word == int(word) else b"%.17g" % word
    raise CommandError("ERR Command arguments must be strings or integers")


def _as_reply(value: Any) -> Reply:
    if isinstance(value, str):
        return value.encode()
    return [_as_reply(each) for each in value] if isinstance(value, list) else value
