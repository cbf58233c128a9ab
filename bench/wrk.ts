import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface WrkRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface WrkResult {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/**
 * Sends the same request over `connections` keep-alive connections for `seconds` with wrk (a client that takes little
 * of the machine). Throws when any answer is not 2xx or a connection fails: a fast error is not a result.
 */
export async function wrk(request: WrkRequest, connections: number, seconds: number): Promise<WrkResult> {
  const scratch = await mkdtemp(join(tmpdir(), 'wrk-'));
  try {
    const script = join(scratch, 'request.lua');
    await writeFile(script, luaScript(request));
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, request.url];
    const { stdout } = await promisify(execFile)('wrk', args).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') throw new Error('wrk is not installed: apt-get install wrk');
      throw error;
    });
    const result = JSON.parse(stdout.slice(stdout.lastIndexOf('\n{')));
    if (result.errors > 0) throw new Error(`${result.errors} of ${result.requests} requests failed: ${request.url}`);
    return { perSecond: result.requests / result.seconds, p50: result.p50, p99: result.p99 };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function luaScript({ method, headers, body }: WrkRequest): string {
  const lines = Object.entries(headers).map(([name, value]) => `wrk.headers[${lua(name)}] = ${lua(value)}`);
  return `wrk.method = ${lua(method)}
wrk.body = ${lua(body)}
${lines.join('\n')}
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"errors":%d}\\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end`;
}

const lua = (text: string): string =>
  `"${text.replace(/[\\"\n]/g, (character) => `\\${character === '\n' ? 'n' : character}`)}"`;
