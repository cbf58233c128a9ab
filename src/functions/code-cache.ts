import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { copyFile, link, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Logger } from '../base/logger.ts';
import type { FunctionSpec } from './engine.ts';
import type { Launcher } from './launcher.ts';
import type { Interpreter } from './runtimes/installed.ts';
import type { Sandbox } from './sandbox/index.ts';

/** A smaller handler compiles faster than its cache is read. */
const minimumSourceBytes = 64 * 1024;
const maximumCacheBytes = 64 * 1024 * 1024;
const compileTimeoutMs = 30_000;
/** Name of the cache in a sandbox's exchange directory. */
const nameInside = 'code-cache';

export interface HandlerFile {
  /** Relative to the code's directory. */
  readonly path: string;
  readonly kind: 'commonjs' | 'module';
  readonly bytes: number;
}

/** What the runtime is told: where the cache lies, and for which file it is. */
export interface CodeCacheSettings {
  readonly path: string;
  readonly file: string;
  readonly kind: HandlerFile['kind'];
}

/**
 * V8 code of large Node.js handlers, made when they are deployed. It is made in a sandbox that compiles and runs nothing,
 * so functions with the same package may share it; no cache that a function's own process wrote is ever used.
 */
export class CodeCache {
  readonly #directory: string;
  readonly #launcher: Launcher;
  readonly #logger: Logger;
  readonly #making = new Map<string, Promise<void>>();
  readonly #files = new Map<string, Promise<HandlerFile | undefined>>();

  constructor(directory: string, launcher: Launcher, logger: Logger) {
    this.#directory = directory;
    this.#launcher = launcher;
    this.#logger = logger;
  }

  /** The handler's file, when it is large enough to be worth a cache and a runtime with more of Node loaded. */
  large(spec: FunctionSpec): Promise<HandlerFile | undefined> {
    if (spec.code.hotReload) return Promise.resolve(undefined);
    const key = `${spec.code.directory}\0${spec.code.digest}\0${spec.handler}`;
    let found = this.#files.get(key);
    if (!found) {
      found = findHandlerFile(spec).then((file) => (file && file.bytes >= minimumSourceBytes ? file : undefined));
      if (this.#files.size > 2_000) this.#files.clear();
      this.#files.set(key, found);
    }
    return found;
  }

  /** Makes the cache unless it is there. Failing is no error: the function loads without. */
  async prepare(spec: FunctionSpec, interpreter: Interpreter): Promise<void> {
    const file = await this.large(spec);
    if (!file || !this.#launcher.mounts) return;
    const place = this.#place(spec, file, interpreter);
    if (await exists(place)) return;
    let making = this.#making.get(place);
    if (!making) {
      making = this.#make(spec, file, interpreter, place)
        .catch((error: unknown) => {
          this.#logger.warn('no code cache for a handler', { function: spec.arn, error: String(error) });
        })
        .finally(() => this.#making.delete(place));
      this.#making.set(place, making);
    }
    await making;
  }

  /** Shows a cache, if there is one, to a sandbox. */
  async show(spec: FunctionSpec, interpreter: Interpreter, sandbox: Sandbox): Promise<CodeCacheSettings | undefined> {
    const file = await this.large(spec);
    if (!file || !this.#launcher.mounts) return undefined;
    const place = this.#place(spec, file, interpreter);
    const target = join(sandbox.exchangeDirectory, nameInside);
    try {
      await link(place, target).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EXDEV') throw error;
        await copyFile(place, target);
      });
    } catch {
      return undefined;
    }
    return { path: `/run/kobune/${nameInside}`, file: `/var/task/${file.path}`, kind: file.kind };
  }

  #place(spec: FunctionSpec, file: HandlerFile, interpreter: Interpreter): string {
    const key = createHash('sha256')
      .update(
        [spec.code.digest, file.path, file.kind, interpreter.path, interpreter.fullVersion, process.arch].join('\0'),
      )
      .digest('hex');
    return join(this.#directory, `${key}.bin`);
  }

  async #make(spec: FunctionSpec, file: HandlerFile, interpreter: Interpreter, place: string): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const sandbox = await this.#launcher.startCompiler(interpreter, spec, [`/var/task/${file.path}`, file.kind]);
    const scratch = `${place}.${sandbox.id}`;
    const timer = setTimeout(() => sandbox.kill(), compileTimeoutMs);
    let complaint = '';
    sandbox.stderr.on('data', (bytes: Buffer) => {
      if (complaint.length < 2_000) complaint += bytes.toString('utf8');
    });
    sandbox.stderr.resume();
    try {
      let total = 0;
      const bounded = new Transform({
        transform(chunk: Buffer, _encoding, callback) {
          total += chunk.length;
          callback(total > maximumCacheBytes ? new Error('the cache is too large') : null, chunk);
        },
      });
      await pipeline(sandbox.stdout, bounded, createWriteStream(scratch, { mode: 0o644 }));
      const exit = await sandbox.exited;
      if (exit.code !== 0) throw new Error(`compiling ended with ${exit.code ?? exit.signal}: ${complaint}`);
      if (total > 0) await rename(scratch, place);
    } finally {
      clearTimeout(timer);
      sandbox.kill();
      await rm(scratch, { force: true });
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The file that the handler is in, as the runtime's loader would find it. */
async function findHandlerFile(spec: FunctionSpec): Promise<HandlerFile | undefined> {
  const slash = spec.handler.lastIndexOf('/') + 1;
  const stem = spec.handler.slice(0, slash) + spec.handler.slice(slash).split('.')[0];
  if (stem.includes('..')) return undefined;
  for (const extension of ['.js', '.mjs', '.cjs']) {
    const path = stem + extension;
    const found = await stat(join(spec.code.directory, path)).catch(() => undefined);
    if (!found?.isFile()) continue;
    const esm = extension === '.mjs' || (extension === '.js' && (await isModulePackage(spec.code.directory, path)));
    return { path, kind: esm ? 'module' : 'commonjs', bytes: found.size };
  }
  return undefined;
}

async function isModulePackage(root: string, path: string): Promise<boolean> {
  for (let at = dirname(path); ; at = dirname(at)) {
    const text = await readFile(join(root, at, 'package.json'), 'utf8').catch(() => undefined);
    if (text !== undefined) {
      try {
        return (JSON.parse(text) as { type?: unknown }).type === 'module';
      } catch {
        return false;
      }
    }
    if (at === '.') return false;
  }
}
