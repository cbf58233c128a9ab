import { type Hook, hook } from './hook.ts';
import { list, type Member, object } from './member.ts';
import { choice, flag, path, text, texts } from './values.ts';

/** What happens when files change while they are watched (https://docs.docker.com/reference/compose-file/develop/). */
export interface Develop {
  readonly watch?: readonly Watch[];
}

interface Watch {
  /** Absolute. */
  readonly path: string;
  readonly action: (typeof ACTIONS)[number];
  readonly target?: string;
  readonly exec?: Hook;
  readonly ignore?: readonly string[];
  readonly include?: readonly string[];
  readonly initial_sync?: boolean;
}

const ACTIONS = ['rebuild', 'sync', 'restart', 'sync+restart', 'sync+exec'] as const;

export const develop: Member<Develop> = object<Develop>({
  watch: list(
    object<Watch>(
      {
        path: path(),
        action: choice(...ACTIONS),
        target: text(),
        exec: hook,
        ignore: texts({ orOne: true }),
        include: texts({ orOne: true }),
        initial_sync: flag(),
      },
      { required: ['path', 'action'] },
    ),
  ),
});
