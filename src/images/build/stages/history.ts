import type { StageInstruction } from '../dockerfile/index.ts';
import { argumentsOf, type StageState } from './stage-state.ts';

/**
 * The `created_by` of an instruction whose variables are expanded; `after` is the state that it leaves, `words` what a RUN executes.
 * The texts are those that BuildKit writes, so that tools which read histories understand them.
 */
export function createdBy(instruction: StageInstruction, after: StageState, words: readonly string[]): string {
  switch (instruction.kind) {
    case 'RUN': {
      const values = argumentsOf(after).map(([name, value]) => `${name}=${value}`);
      return ['RUN', ...(values.length === 0 ? [] : [`|${values.length}`, ...values]), ...words].join(' ');
    }
    case 'COPY':
    case 'ADD': {
      const flags = [
        ...(instruction.kind === 'COPY' && instruction.parents ? ['--parents'] : []),
        ...(instruction.chown === undefined ? [] : [`--chown=${instruction.chown}`]),
        ...(instruction.chmod === undefined ? [] : [`--chmod=${instruction.chmod}`]),
      ];
      const sources = instruction.sources.map((source) =>
        source.kind === 'path' ? source.path : `<<${source.heredoc.name}`,
      );
      return [instruction.kind, ...flags, ...sources, instruction.destination].join(' ');
    }
    case 'ARG':
      return `ARG ${instruction.parameters
        .map(({ name }) => {
          const value = after.arguments.get(name);
          return value === undefined ? name : `${name}=${value}`;
        })
        .join(' ')}`;
    case 'ENV':
    case 'LABEL':
      return `${instruction.kind} ${instruction.pairs.map(({ key, value }) => `${key}=${value}`).join(' ')}`;
    case 'CMD':
      return `CMD ${quotedList(after.run.Cmd ?? [])}`;
    case 'ENTRYPOINT':
      return `ENTRYPOINT ${quotedList(after.run.Entrypoint ?? [])}`;
    case 'EXPOSE':
      return `EXPOSE [${instruction.ports.join(' ')}]`;
    case 'VOLUME':
      return `VOLUME [${instruction.paths.join(' ')}]`;
    case 'USER':
      return `USER ${instruction.user}`;
    case 'WORKDIR':
      return `WORKDIR ${after.run.WorkingDir}`;
    case 'STOPSIGNAL':
      return `STOPSIGNAL ${instruction.signal}`;
    case 'SHELL':
      return `SHELL [${instruction.words.join(' ')}]`;
    case 'ONBUILD':
      return `ONBUILD ${instruction.trigger}`;
    case 'MAINTAINER':
      return `MAINTAINER ${instruction.author}`;
    case 'HEALTHCHECK':
      return instruction.text;
  }
}

/** Go's `%q` of a list of strings. */
function quotedList(words: readonly string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(' ')}]`;
}
