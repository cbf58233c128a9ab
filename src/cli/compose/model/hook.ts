import { command } from './command-words.ts';
import { keyValues } from './key-values.ts';
import { type Member, object } from './member.ts';
import { flag, text } from './values.ts';

/** A command that runs in a container once it has started, or before it is stopped (https://docs.docker.com/reference/compose-file/services/#post_start). */
export interface Hook {
  readonly command: readonly string[];
  readonly user?: string;
  readonly privileged?: boolean;
  readonly working_dir?: string;
  readonly environment?: ReadonlyMap<string, string | null>;
}

export const hook: Member<Hook> = object<Hook>(
  { command: command(), user: text(), privileged: flag(), working_dir: text(), environment: keyValues() },
  { required: ['command'] },
);
