import { ServiceError } from '../../base/errors.ts';
import type { ImageConfig } from '../oci.ts';
import { DockerfileError, expandInstruction, parseTrigger, type StageInstruction } from './dockerfile/index.ts';
import { applyInstruction, imageState, lookupIn } from './stages/stage-state.ts';

const NAME = 'changes';
/** Those that change the configuration alone. Source: `docker commit --change`. */
const ALLOWED = new Set<StageInstruction['kind']>([
  'CMD',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'HEALTHCHECK',
  'LABEL',
  'ONBUILD',
  'SHELL',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
]);

/** The configuration after instructions of a Dockerfile (`docker commit --change`). Throws `InvalidChange` (400) for what is none. */
export function changeConfig(config: ImageConfig, changes: readonly string[]): ImageConfig {
  let state = imageState(config);
  for (const change of changes) {
    try {
      const instruction = readChange(change);
      const options = { name: NAME, escape: '\\', lookup: lookupIn(state) } as const;
      state = applyInstruction(state, expandInstruction(instruction, options), () => undefined);
    } catch (error) {
      const message = error instanceof DockerfileError ? error.problem : (error as Error).message;
      throw new ServiceError('InvalidChange', message, { status: 400, cause: error });
    }
  }
  return { ...config, config: state.run };
}

function readChange(change: string): StageInstruction {
  // What an ONBUILD holds is read when the image is built upon.
  const [, trigger] = /^\s*ONBUILD\s+(\S[\s\S]*)$/i.exec(change) ?? [];
  const instruction = parseTrigger(trigger ?? change, { name: NAME });
  if (trigger !== undefined) return { ...instruction, kind: 'ONBUILD', trigger } as StageInstruction;
  if (ALLOWED.has(instruction.kind)) return instruction;
  throw new DockerfileError(`${instruction.kind} is not a valid change command`, {
    file: NAME,
    line: 1,
    excerpt: change,
  });
}
