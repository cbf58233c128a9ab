import { createLogger } from '../base/json-logger.ts';
import { removeRecord, writeRecord } from './instance.ts';
import type { Settings } from './settings.ts';

const LAST_MS = 2_000;

export interface ServerOptions {
  /** Receives the program's own log. */
  readonly logTo: NodeJS.WritableStream;
  readonly ready: (running: { readonly endpoint: string }) => void;
  /** Ends the server as a signal would. */
  readonly signal?: AbortSignal;
}

/**
 * Runs Kobune in this process and resolves when it has stopped: after SIGINT, SIGTERM, or `kobune down`. A second
 * signal does not wait for requests under way.
 */
export async function runServer(settings: Settings, options: ServerOptions): Promise<void> {
  // Images and containers hold files for other users than this one; what is secret is given its mode by name.
  process.umask(0o022);
  const stop = Promise.withResolvers<void>();
  const logger = createLogger({
    level: settings.logLevel,
    format: settings.logFormat,
    write: (line) => options.logTo.write(line),
  });
  const [{ startKobune }, { describeStartFailure }] = await Promise.all([import('../main.ts'), import('./up.ts')]);
  const kobune = await startKobune({
    dataDirectory: settings.data,
    ephemeral: settings.ephemeral,
    host: settings.host,
    port: settings.port,
    iam: settings.iam,
    dockerPort: settings.dockerPort,
    unsandboxed: settings.unsandboxed,
    registryMirrors: settings.registryMirrors,
    hosts: settings.hosts,
    origins: settings.origins,
    logger,
    environment: process.env,
    onShutdown: stop.resolve,
  }).catch(async (error: unknown) => {
    throw await describeStartFailure(error, settings);
  });
  const onSignal = (signal: NodeJS.Signals) => {
    stop.resolve();
    process.once(signal, () => process.exit(130));
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  options.signal?.addEventListener('abort', () => stop.resolve());
  try {
    await writeRecord(settings.data, { pid: process.pid, endpoint: kobune.endpoint });
    options.ready({ endpoint: kobune.endpoint });
    await stop.promise;
  } finally {
    await removeRecord(settings.data);
    await kobune.close();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    // Everything has been written and told to stop; what holds the process all the same may not hold it for long.
    setTimeout(() => process.exit(), LAST_MS).unref();
  }
}
