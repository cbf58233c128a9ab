'use strict';
// Uses V8 code made when the function was deployed (compile.cjs). A cache that does not fit is ignored by V8.
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const v8 = require('node:v8');
const vm = require('node:vm');

const temporary = '/tmp/.kobune-code-cache';

function compileScript(source, filename, cachedData) {
  return new vm.Script(Module.wrap(source), {
    filename,
    cachedData,
    importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
}

function* entries(bytes) {
  for (let at = 0; at + 8 <= bytes.length; ) {
    const nameEnd = at + 8 + bytes.readUInt32LE(at);
    const end = nameEnd + bytes.readUInt32LE(at + 4);
    yield [bytes.toString('utf8', at + 8, nameEnd), bytes.subarray(nameEnd, end)];
    at = end;
  }
}

function useForCommonJs(file, data) {
  const compile = Module.prototype._compile;
  Module.prototype._compile = function (content, filename, ...rest) {
    if (filename !== file) return compile.call(this, content, filename, ...rest);
    Module.prototype._compile = compile;
    const script = compileScript(content, filename, data);
    if (script.cachedDataRejected) return compile.call(this, content, filename, ...rest);
    const body = script.runInThisContext();
    return body.call(
      this.exports,
      this.exports,
      Module.createRequire(filename),
      this,
      filename,
      path.dirname(filename),
    );
  };
  return () => {
    Module.prototype._compile = compile;
  };
}

/** Node looks for its compile cache in a directory whose name has the user's number, so it is laid out anew. */
function useForModules(files) {
  if (!Module.enableCompileCache || !Module.getCompileCacheDir) return () => {};
  Module.enableCompileCache(temporary);
  const place = Module.getCompileCacheDir();
  if (!place) return () => {};
  for (const [name, data] of files) fs.writeFileSync(path.join(place, path.basename(name)), data);
  // Unlike a script's, this cache was written while V8's flag was set, and fits only while it is.
  v8.setFlagsFromString('--no-lazy');
  return () => {
    v8.setFlagsFromString('--lazy');
    fs.rmSync(temporary, { recursive: true, force: true });
  };
}

/** Reads the cache that `settings` (`path`, `file`, `kind`) tells of. */
function readCodeCache(settings) {
  if (!settings) return undefined;
  try {
    return { ...settings, bytes: fs.readFileSync(settings.path) };
  } catch {
    return undefined;
  }
}

/** Uses what `readCodeCache` has read; returns what ends the use. */
function useCodeCache(settings) {
  if (!settings) return () => {};
  try {
    const files = [...entries(settings.bytes)];
    if (settings.kind === 'module') return useForModules(files);
    return useForCommonJs(settings.file, files[0][1]);
  } catch {
    return () => {};
  }
}

module.exports = { readCodeCache, useCodeCache, compileScript };
