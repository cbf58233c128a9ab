#!/usr/bin/env node
import module from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

const OLDEST_NODE = 24;

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(`kobune: this is Node ${process.version}; Kobune needs Node ${OLDEST_NODE} or newer\n`);
  process.stderr.write(
    '  Install one (in a project: "npm install --save-dev node@26"), and see that PATH finds it first.\n',
  );
  process.exit(2);
}
// Compiled code is kept between runs: it halves the time to start. Not in Node's own place below /tmp, which another
// user could have made first.
module.enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'kobune', 'compiled'));
await import('./command-line.ts');
