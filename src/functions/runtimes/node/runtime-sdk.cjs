'use strict';
// The AWS SDK that comes with the runtime, for ES modules: they do not look into NODE_PATH.
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const ours = /^@(aws-sdk|smithy|aws-crypto)\//;

/** Hooks of Nodes that have no synchronous ones run in a thread of their own. */
const threadHooks = (directory) => `
  import { createRequire } from 'node:module';
  import { pathToFileURL } from 'node:url';
  const find = createRequire(${JSON.stringify(path.join(directory, 'index.js'))});
  export async function resolve(specifier, context, next) {
    try {
      return await next(specifier, context);
    } catch (error) {
      if (!${ours}.test(specifier)) throw error;
      return next(pathToFileURL(find.resolve(specifier)).href, context);
    }
  }`;

/** Called before an ES module is imported: a package of the SDK that the function did not bring is the runtime's. */
function offerToModules(directory, handlerFile) {
  if (!directory) return;
  if (Module.registerHooks) {
    const find = Module.createRequire(path.join(directory, 'index.js'));
    Module.registerHooks({
      resolve(specifier, context, next) {
        try {
          return next(specifier, context);
        } catch (error) {
          if (!ours.test(specifier)) throw error;
          return next(pathToFileURL(find.resolve(specifier)).href, context);
        }
      },
    });
  } else if (Module.register && /@(aws-sdk|smithy)\//.test(fs.readFileSync(handlerFile, 'utf8'))) {
    Module.register(`data:text/javascript,${encodeURIComponent(threadHooks(directory))}`);
  }
}

module.exports = { offerToModules };
