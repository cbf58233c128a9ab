import { createSystemRandom } from '../../../base/system-random.ts';
import { createStepRunner } from '../../../containers/index.ts';
import type { StepRunner } from '../step-runner.ts';
import { SILENT } from './scratch-builder.ts';

/** Why steps cannot be run here; `false` when they can. */
export const noStepsReason: string | false = process.getuid?.() === 0 ? false : 'containers need root';

/** Runs steps in real containers, which have no network: for `ScratchBuilder.open`. */
export function stepContainers(directory: string): StepRunner {
  const random = createSystemRandom();
  return createStepRunner({
    networks: undefined as never,
    random,
    logger: SILENT,
    directory,
    instance: random.hex(12),
  });
}
