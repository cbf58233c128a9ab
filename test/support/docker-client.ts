import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { DOCKER_28 } from '../../src/docker/testing/test-docker.ts';

/** Runs Docker's client with these variables and answers what it printed. Rejects with its `stderr` when it fails. */
export async function docker(environment: Readonly<Record<string, string>>, ...words: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, ...environment };
  return (await promisify(execFile)(DOCKER_28, words, { env })).stdout.trim();
}
