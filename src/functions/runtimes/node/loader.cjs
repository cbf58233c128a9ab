'use strict';
// Finds and loads the handler. Source: Lambda Developer Guide, "Define Lambda function handler in Node.js" and
// "Deploy Node.js Lambda functions with .zip file archives".
const fs = require('node:fs');
const path = require('node:path');
const Module = require('node:module');
const { pathToFileURL } = require('node:url');
const { RuntimeError } = require('./errors.cjs');
const { offerToModules } = require('./runtime-sdk.cjs');

/** `src/app.nested.handler` → directory `src`, module `app`, path of properties `nested.handler`. */
function parseHandler(handler) {
  if (handler.includes('..')) {
    throw new RuntimeError(
      'MalformedHandlerName',
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const base = path.basename(handler);
  const dot = base.indexOf('.');
  if (dot < 0) throw new RuntimeError('MalformedHandlerName', 'Bad handler');
  return {
    directory: handler.slice(0, handler.length - base.length),
    module: base.slice(0, dot),
    properties: base.slice(dot + 1).split('.'),
  };
}

function isModulePackage(directory) {
  for (let at = directory; ; at = path.dirname(at)) {
    if (at.endsWith('/node_modules')) return false;
    let text;
    try {
      text = fs.readFileSync(path.join(at, 'package.json'), 'utf8');
    } catch {
      if (at === path.dirname(at)) return false;
      continue;
    }
    try {
      return JSON.parse(text).type === 'module';
    } catch (error) {
      console.warn(`${at}/package.json cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
}

async function loadModule({ taskRoot, sdkDirectory, typescript }, directory, name) {
  const stem = path.resolve(taskRoot, directory, name);
  const requireFromTask = Module.createRequire('/var/runtime/index.mjs');
  const exists = (extension) => fs.existsSync(stem + extension) && fs.statSync(stem + extension).isFile();
  const esm = isModulePackage(path.dirname(stem));
  const load = (extension, asModule) => {
    if (!asModule) return requireFromTask(stem + extension);
    offerToModules(sdkDirectory, stem + extension);
    return import(pathToFileURL(stem + extension).href);
  };
  const candidates = [
    ['', false],
    ['.js', esm],
    ['.mjs', true],
    ['.cjs', false],
  ];
  if (typescript) candidates.push(['.ts', esm], ['.mts', true], ['.cts', false]);
  for (const [extension, asModule] of candidates) {
    if (exists(extension)) return load(extension, asModule);
  }
  return requireFromTask(requireFromTask.resolve(name, { paths: [taskRoot, path.resolve(taskRoot, directory)] }));
}

/** Loads the module and returns the handler; throws the error that Lambda's runtime would name. */
async function loadHandler(options, handler) {
  const { directory, module: name, properties } = parseHandler(handler);
  let loaded;
  try {
    loaded = await loadModule(options, directory, name);
  } catch (error) {
    if (error instanceof SyntaxError) throw new RuntimeError('UserCodeSyntaxError', String(error), error);
    if (error && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND')) {
      throw new RuntimeError('ImportModuleError', String(error), error);
    }
    throw error;
  }
  let found = loaded;
  for (const property of properties) found = found?.[property];
  if (!found) throw new RuntimeError('HandlerNotFound', `${handler} is undefined or not exported`);
  if (typeof found !== 'function') throw new RuntimeError('HandlerNotFound', `${handler} is not a function`);
  return found;
}

module.exports = { loadHandler };
