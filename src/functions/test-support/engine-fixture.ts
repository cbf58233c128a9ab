import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AdjustableClock } from '../../base/clock.ts';
import { createLogger } from '../../base/json-logger.ts';
import { createSystemClock } from '../../base/system-clock.ts';
import { createSystemRandom } from '../../base/system-random.ts';
import type { FunctionEngine, FunctionLogs, FunctionSpec, Invocation, InvocationResult, LogLine } from '../engine.ts';
import { createFunctionEngine, type FunctionEngineOptions } from '../function-engine.ts';
import { createSandboxProvider, type SandboxProvider } from '../sandbox/index.ts';

/** Keeps what functions log. */
export class MemoryLogs implements FunctionLogs {
  readonly streams = new Map<string, LogLine[]>();
  /** Keeps nothing, for floods. */
  discard = false;

  append(_account: string, _region: string, group: string, stream: string, events: readonly LogLine[]): void {
    if (this.discard) return;
    const key = `${group} ${stream}`;
    const lines = this.streams.get(key) ?? [];
    lines.push(...events);
    this.streams.set(key, lines);
  }

  /** Every event's text, in order, stream by stream. */
  messages(): string[] {
    return [...this.streams.values()].flat().map((line) => line.message);
  }
}

export interface EngineFixture extends AsyncDisposable {
  readonly engine: FunctionEngine;
  readonly logs: MemoryLogs;
  readonly clock: AdjustableClock;
  readonly sandboxes: SandboxProvider;
  readonly directory: string;
  /** A specification for code given as files. */
  spec(files: Readonly<Record<string, string>>, changes?: Partial<FunctionSpec>): Promise<FunctionSpec>;
  /** A directory with these files; a name that ends in `*` is made executable. */
  files(files: Readonly<Record<string, string>>): Promise<string>;
  /** Invokes and decodes. */
  call(spec: FunctionSpec, event?: unknown, changes?: Partial<Invocation>): Promise<Answer>;
}

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: whatever the handler under test returns
  readonly value: any;
  readonly result: InvocationResult;
  readonly requestId: string;
  /** The log's last 4 KB. */
  readonly tail: string;
}

/** Waits for something that other processes, or the batching of log lines, bring about. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(2);
}

/** An engine with everything it needs, in a directory of its own. */
export async function startEngine(
  changes: Partial<FunctionEngineOptions> & { readonly clock?: AdjustableClock; readonly quiet?: boolean } = {},
): Promise<EngineFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-functions-'));
  const random = createSystemRandom();
  const clock = changes.clock ?? createSystemClock();
  const logger = createLogger({
    level: changes.quiet ? 'error' : 'warn',
    format: 'text',
    write: (line) => process.stderr.write(line),
  });
  const sandboxes =
    changes.sandboxes ?? (await createSandboxProvider({ directory: join(directory, 'sandboxes'), logger }));
  const logs = new MemoryLogs();
  const engine = createFunctionEngine({
    sandboxes,
    logs,
    credentials: {
      credentialsFor: async () => ({
        accessKeyId: 'ASIAEXAMPLE',
        secretAccessKey: 'secret',
        sessionToken: 'token',
        expiration: clock.now() + 6 * 3_600_000,
      }),
    },
    clock,
    random,
    logger,
    directory: join(directory, 'engine'),
    endpoint: { url: 'http://localhost:4566' },
    memoryBudgetMb: 4_096,
    poolSizes: { nodejs: 1, python: 1 },
    ...changes,
  });
  let count = 0;
  const files = async (contents: Readonly<Record<string, string>>): Promise<string> => {
    const place = join(directory, `code-${++count}`);
    await mkdir(place);
    for (const [name, text] of Object.entries(contents)) {
      const path = join(place, name.replace(/\*$/, ''));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
      if (name.endsWith('*')) await chmod(path, 0o755);
    }
    return place;
  };
  return {
    engine,
    logs,
    clock,
    sandboxes,
    directory,
    files,
    async spec(contents, specChanges = {}) {
      const place = await files(contents);
      const name = specChanges.name ?? `fn-${count}`;
      return {
        arn: `arn:aws:lambda:us-east-1:000000000000:function:${name}`,
        name,
        version: '$LATEST',
        account: '000000000000',
        region: 'us-east-1',
        runtime: 'nodejs22.x',
        handler: 'index.handler',
        code: { directory: place, digest: `digest-${random.hex(8)}` },
        layers: [],
        environment: {},
        memoryMb: 256,
        timeoutMs: 3_000,
        ephemeralStorageMb: 512,
        roleArn: 'arn:aws:iam::000000000000:role/test',
        logging: { format: 'Text', group: `/aws/lambda/${name}`, applicationLevel: 'INFO', systemLevel: 'INFO' },
        tracing: 'PassThrough',
        initializationType: 'on-demand',
        revision: '1',
        ...specChanges,
      };
    },
    async call(spec, event = {}, invocationChanges = {}) {
      const requestId = invocationChanges.requestId ?? random.uuid();
      const result = await engine.invoke(spec, {
        requestId,
        payload: Buffer.from(JSON.stringify(event)),
        invokedArn: spec.arn,
        traceId: 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0',
        tailLog: true,
        ...invocationChanges,
      });
      const text = Buffer.from(result.payload).toString('utf8');
      return {
        value: text === '' ? undefined : JSON.parse(text),
        result,
        requestId,
        tail: Buffer.from(result.logTail ?? []).toString('utf8'),
      };
    },
    async [Symbol.asyncDispose]() {
      await engine.close();
      if (!changes.sandboxes) await sandboxes.close();
      clock.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
