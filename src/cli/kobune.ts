#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Compiled code is kept between runs: it halves the time to start. Not in Node's own place below /tmp, which another
// user could have made first.
enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'kobune', 'compiled'));
await import('./command-line.ts');
