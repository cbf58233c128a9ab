import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../base/json-logger.ts';
import type { FunctionSpec } from '../functions/index.ts';
import { type ComputeOptions, createCompute } from './compute.ts';

describe('what runs functions', () => {
  it('is started anew by the next call when it could not be started', async () => {
    let attempts = 0;
    const options: Partial<ComputeOptions> = {
      logger: silentLogger,
      logs: async () => {
        throw new Error(`attempt ${++attempts}`);
      },
      credentials: () => new Promise(() => {}),
      authority: { files: () => new Promise(() => {}) } as unknown as ComputeOptions['authority'],
    };
    const compute = createCompute(options as ComputeOptions);
    await assert.rejects(compute.engine.prepare({} as FunctionSpec), /attempt 1/);
    await assert.rejects(compute.engine.prepare({} as FunctionSpec), /attempt 2/);
    await compute.close();
  });
});
