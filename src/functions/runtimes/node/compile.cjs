'use strict';
// Makes V8's code cache for a handler's file, in a sandbox, without running anything of it: argument 1 is the file,
// argument 2 `commonjs` or `module`. Functions are compiled eagerly, which is what makes loading fast later.
const fs = require('node:fs');
const Module = require('node:module');
const { pathToFileURL } = require('node:url');
const path = require('node:path');
const v8 = require('node:v8');
const { compileScript } = require('./code-cache.cjs');

const [, , file, kind] = process.argv;

function compileCommonJs() {
  const source = fs.readFileSync(file, 'utf8');
  v8.setFlagsFromString('--no-lazy');
  const script = compileScript(source, file, undefined);
  // The cache carries a hash of V8's flags: it must be that of a process without the flag.
  v8.setFlagsFromString('--lazy');
  return [['', script.createCachedData()]];
}

/**
 * An ES module is compiled when it is linked and run only after the whole graph was. The graph made here cannot be
 * linked, since it wants a name that is not exported: so all of it is compiled and none of it runs.
 */
async function compileModules() {
  const directory = '/tmp/code-cache';
  Module.enableCompileCache(directory);
  fs.writeFileSync('/tmp/nothing.mjs', '');
  const graph = '/tmp/graph.mjs';
  fs.writeFileSync(
    graph,
    `import ${JSON.stringify(pathToFileURL(file).href)};\nimport { never } from './nothing.mjs';\n`,
  );
  v8.setFlagsFromString('--no-lazy');
  await import(graph).catch(() => {});
  v8.setFlagsFromString('--lazy');
  Module.flushCompileCache();
  const place = Module.getCompileCacheDir();
  return fs.readdirSync(place).map((name) => [name, fs.readFileSync(path.join(place, name))]);
}

async function main() {
  const entries = kind === 'module' ? await compileModules() : compileCommonJs();
  const parts = [];
  for (const [name, data] of entries) {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(Buffer.byteLength(name), 0);
    head.writeUInt32LE(data.length, 4);
    parts.push(head, Buffer.from(name), data);
  }
  const all = Buffer.concat(parts);
  for (let at = 0; at < all.length; ) at += fs.writeSync(3, all, at);
}

main().then(
  () => process.reallyExit(0),
  (error) => {
    process.stderr.write(String(error));
    process.reallyExit(1);
  },
);
