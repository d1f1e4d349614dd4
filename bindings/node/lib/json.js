'use strict';
/*
 * JSON for files that people write: the same language as JSON.parse, but errors name the line, and
 * each member of an object tells the line it stands on.
 */

/**
 * @typedef {{ line: number, value: string | number | boolean | null | Node[] | Map<string, Node> }} Node
 */

class JsonError extends Error {
  constructor(message, line) {
    super(message);
    this.line = line;
  }
}

const TOKEN =
  /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])|(true|false|null)(?!\w))/y;
const MAX_DEPTH = 100;

/** @param {string} text @returns {Node} */
function parse(text) {
  let pos = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  let line = 1;
  let counted = 0;
  let token = '';
  let kind = 0;

  function lineAt(at) {
    for (; counted < at; counted++) if (text.charCodeAt(counted) === 10) line++;
    return line;
  }

  function next() {
    TOKEN.lastIndex = pos;
    const m = TOKEN.exec(text);
    if (!m) {
      const rest = /[ \t\n\r]*/y;
      rest.lastIndex = pos;
      rest.exec(text);
      const at = rest.lastIndex;
      if (at >= text.length) {
        lineAt(text.length);
        token = '';
        kind = 0;
        return;
      }
      const found = /^(?:\/[/*]|"[^"\n]*"?|'[^'\n]*'?|[^\s,:{}[\]]+)/.exec(text.slice(at));
      const shown = (found ? found[0] : text[at]).slice(0, 30);
      throw new JsonError(
        shown.startsWith('/') ? 'comments are not allowed in JSON' : `${shown} is not JSON`,
        lineAt(at),
      );
    }
    kind = m[1] ? 1 : m[2] ? 2 : m[3] ? 3 : 4;
    token = m[kind];
    pos = TOKEN.lastIndex;
    lineAt(pos - token.length);
  }

  /** @param {string} mark */
  const is = (mark) => kind === 1 && token === mark;

  function expected(what) {
    throw new JsonError(
      `${what} expected, not ${token === '' ? 'the end of the file' : token.slice(0, 30)}`,
      line,
    );
  }

  function value(depth) {
    const at = line;
    if (depth > MAX_DEPTH) throw new JsonError('nested too deep', line);
    if (kind === 2 || kind === 3 || kind === 4) return { line: at, value: JSON.parse(token) };
    if (is('[')) {
      const list = [];
      next();
      if (is(']')) return { line: at, value: list };
      for (;;) {
        list.push(value(depth + 1));
        next();
        if (is(']')) return { line: at, value: list };
        if (!is(',')) expected('"," or "]"');
        next();
      }
    }
    if (is('{')) {
      const map = new Map();
      next();
      if (is('}')) return { line: at, value: map };
      for (;;) {
        if (kind !== 2) expected('a name in double quotes');
        const name = JSON.parse(token);
        const nameLine = line;
        if (map.has(name)) throw new JsonError(`"${name}" is there twice`, line);
        next();
        if (!is(':')) expected('":"');
        next();
        map.set(name, { ...value(depth + 1), line: nameLine });
        next();
        if (is('}')) return { line: at, value: map };
        if (!is(',')) expected('"," or "}"');
        next();
      }
    }
    return expected('a value');
  }

  next();
  const node = value(0);
  next();
  if (kind !== 0) expected('the end of the file');
  return node;
}

module.exports = { parse, JsonError };
