import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where the SDK that comes with the Node.js runtimes is shown inside. */
export const sdkDirectoryInside = '/var/lang/lib/node_modules';

/** Scopes that hold nothing but the SDK; a function may use any package of theirs. */
const scopes = ['@aws-sdk', '@smithy', '@aws-crypto'];

export interface RuntimeSdk {
  /** The `node_modules` directory that it lies in. */
  readonly nodeModules: string;
  /** Scopes and packages of it that are the SDK and what it needs. */
  readonly entries: readonly string[];
}

/**
 * Lambda's Node.js runtimes include the AWS SDK for JavaScript v3, and tools leave it out of bundles for that reason.
 * Source: Lambda Developer Guide, "Building Lambda functions with Node.js", "Runtime-included SDK versions". Here it is the
 * SDK that Kobune itself is built on, found in a `node_modules` directory above `start`: the clients installed there.
 */
export function findRuntimeSdk(start: string): RuntimeSdk | undefined {
  for (let directory = start; ; directory = dirname(directory)) {
    const nodeModules = join(directory, 'node_modules');
    if (existsSync(join(nodeModules, '@aws-sdk/client-s3'))) {
      return { nodeModules, entries: entriesOf(nodeModules) };
    }
    if (directory === dirname(directory)) return undefined;
  }
}

/** The scopes, and every package outside of them that the SDK's core depends on, directly or not. */
function entriesOf(nodeModules: string): string[] {
  const entries = new Set(scopes.filter((scope) => existsSync(join(nodeModules, scope))));
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    let dependencies: Record<string, string> = {};
    try {
      const text = readFileSync(join(nodeModules, name, 'package.json'), 'utf8');
      dependencies = (JSON.parse(text) as { dependencies?: Record<string, string> }).dependencies ?? {};
    } catch {
      return;
    }
    if (!scopes.some((scope) => name.startsWith(`${scope}/`))) entries.add(name);
    for (const dependency of Object.keys(dependencies)) visit(dependency);
  };
  visit('@aws-sdk/client-s3');
  return [...entries];
}
