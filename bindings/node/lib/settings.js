'use strict';
/*
 * Where the settings of a store come from, the later winning:
 *
 *   1. the defaults: files in <distDir>/cache/larder, the part of .next that a build keeps; and
 *      `live`, so that `larder stats` sees the processes of an application
 *   2. larder.json (LARDER_CONFIG names another file)
 *   3. the options of withLarder()
 *   4. LARDER_* variables, which the core reads itself
 *
 * They are handed on as [name, value, where it came from]; the core checks names and values, and
 * names the place in its errors.
 */
const fs = require('node:fs');
const path = require('node:path');

/*
 * How the options of withLarder() reach the handler, which Next.js loads by its path alone: in the
 * environment of this process and of those that `next build` and `next dev` start; and in a file
 * of the build output, which is all that a standalone server has.
 */
const OPTIONS_VARIABLE = '__LARDER_NEXT';
const OPTIONS_FILE = path.join('cache', 'larder-options.json');

/** Options of withLarder() that are not for the store. */
const NOT_SETTINGS = new Set(['useCache', 'images', 'config']);

/*
 * {"cache": "fs:dir"} or {"cache": {"driver": "fs", "dir": ...}} or {"cache": {"url": "fs:dir", ...}}.
 */
/**
 * @param {Map<string, import('./json').Node>} map
 * @param {(node: any) => string} where
 * @returns {Array<[string, string, string]>}
 */
function flatten(map, where) {
  /** @type {Array<[string, string, string]>} */
  const out = [];
  const scalar = (name, node) => {
    const v = node.value;
    if (Array.isArray(v)) {
      for (const x of v) {
        if (x.value === null || typeof x.value === 'object') {
          throw new Error(`${where(x)}: "${name}" takes texts and numbers`);
        }
      }
      return v.map((x) => String(x.value)).join(',');
    }
    if (v !== null && typeof v === 'object') throw new Error(`${where(node)}: "${name}" takes no object`);
    return String(v);
  };
  for (const [name, node] of map) {
    if (name.startsWith('$') || node.value === null) continue;
    if ((name === 'cache' || name === 'tags') && node.value instanceof Map) {
      const driver = node.value.get('driver') ?? node.value.get('url');
      if (typeof driver?.value !== 'string' || driver.value === '') {
        throw new Error(`${where(node)}: "${name}" needs "driver", the name of one, or "url"`);
      }
      out.push([name, driver.value, where(driver)]);
      for (const [key, child] of node.value) {
        if (child === driver || child.value === null) continue;
        out.push([`${name}.${key}`, scalar(`${name}.${key}`, child), where(child)]);
      }
    } else {
      out.push([name, scalar(name, node), where(node)]);
    }
  }
  return out;
}

/** @param {string} text @param {string} name as errors call the file */
function fromText(text, name) {
  // Here: where there is neither a file nor an option, nothing is parsed.
  const { parse, JsonError } = require('./json.js');
  let root;
  try {
    root = parse(text);
  } catch (error) {
    if (error instanceof JsonError) throw new Error(`${name}:${error.line}: ${error.message}`);
    throw error;
  }
  if (!(root.value instanceof Map)) throw new Error(`${name}:${root.line}: an object was expected`);
  return flatten(root.value, (node) => `${name}:${node.line}`);
}

/** The options of withLarder() as settings: a plain object, so there are no lines to name. */
/** @param {object} options */
function fromOptions(options) {
  const own = Object.entries(options).filter(([k]) => !NOT_SETTINGS.has(k));
  if (own.length === 0) return [];
  const { parse } = require('./json.js');
  const plain = Object.fromEntries(own);
  const root = parse(JSON.stringify(plain));
  return flatten(/** @type {any} */ (root.value), () => 'withLarder()');
}

/*
 * The application's folder: withLarder() knows it; else it is the nearest one above .next with a
 * package.json, which .next itself may have ({"type": "commonjs"}).
 */
/** @param {string | undefined} distDir */
function appDir(distDir) {
  if (distDir) {
    let dir = path.dirname(distDir);
    for (let i = 0; i < 6; i++) {
      if (fs.existsSync(path.join(dir, 'larder.json')) || fs.existsSync(path.join(dir, 'package.json')))
        return dir;
      const up = path.dirname(dir);
      if (up === dir) break;
      dir = up;
    }
  }
  return process.cwd();
}

/** @param {string | undefined} distDir @returns {Record<string, any>} */
function passedOptions(distDir) {
  try {
    const text =
      process.env[OPTIONS_VARIABLE] ?? (distDir && fs.readFileSync(path.join(distDir, OPTIONS_FILE), 'utf8'));
    const options = text ? JSON.parse(text) : {};
    return options && typeof options === 'object' ? options : {};
  } catch {
    return {};
  }
}

/** @param {string} dir @param {string} [named] @returns {string | undefined} */
function configFile(dir, named = process.env.LARDER_CONFIG) {
  if (named) return path.resolve(dir, named);
  const file = path.join(dir, 'larder.json');
  return fs.existsSync(file) ? file : undefined;
}

/** @param {string} file @param {string} dir @returns {Array<[string, string, string]>} */
function readConfig(file, dir) {
  const name = path.relative(dir, file).startsWith('..') ? file : path.relative(dir, file);
  let text;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`${name}: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}`);
  }
  return fromText(text, name);
}

/**
 * @param {string | undefined} distDir
 * @returns {Array<[string, string, string]>}
 */
function settings(distDir) {
  const dir = appDir(distDir);
  const out = path.resolve(distDir ?? path.join(dir, '.next'));
  const options = passedOptions(distDir);
  const file = configFile(dir, process.env.LARDER_CONFIG || options.config);
  /** @type {Array<[string, string, string]>} */
  const live = [['live', 'auto', 'the default']];
  const given = [...(file ? readConfig(file, dir) : []), ...fromOptions(options)];
  if (given.some(([name]) => name === 'cache') || process.env.LARDER_CACHE) return [...live, ...given];
  return [
    ...live,
    // The folder as a setting of its own: in "fs:<folder>", a "?" in its name would end it.
    ['cache', 'fs', 'the default'],
    ['cache.url', path.join(out, 'cache', 'larder'), 'the default'],
    ...given,
  ];
}

/** Whether anything says which store it is.  @param {Array<[string, string, string]>} fromFile @param {object} options */
function namesCache(fromFile, options) {
  return (
    [...fromFile, ...fromOptions(options)].some(([name]) => name === 'cache') ||
    Boolean(process.env.LARDER_CACHE)
  );
}

module.exports = {
  settings,
  fromText,
  fromOptions,
  appDir,
  configFile,
  readConfig,
  namesCache,
  OPTIONS_VARIABLE,
  OPTIONS_FILE,
};
