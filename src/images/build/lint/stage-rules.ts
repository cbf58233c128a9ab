import { expandWord, platformArguments, SyntaxProblem } from '../dockerfile/index.ts';
import { at } from './instruction-rules.ts';
import type { LintStage, Remark, Rule, Subject } from './rule.ts';

const RESERVED = ['scratch', 'context'];

/** Rules about FROM and about stages and how they refer to each other. */
export const STAGE_RULES: readonly Rule[] = [
  {
    id: 'DL3006',
    severity: 'warning',
    about: 'images have a tag',
    find: (subject) =>
      outer(subject)
        .filter(({ from: { image } }) => tagOf(image) === undefined && !image.includes('@') && !image.includes('$'))
        .map(({ from }) => at(`${from.image} is whatever is newest that day. Write a tag: ${from.image}:…`)(from)),
  },
  {
    id: 'DL3007',
    severity: 'warning',
    about: 'the tag is not latest',
    find: (subject) =>
      outer(subject)
        .filter(({ from: { image } }) => tagOf(image) === 'latest' && !image.includes('@'))
        .map(({ from }) => at('latest is another image when it is updated. Write the tag of a release')(from)),
  },
  {
    id: 'DL3022',
    severity: 'warning',
    about: 'COPY --from names a stage before it, or an image with its tag',
    find: ({ stages }) => {
      const first = new Map(stages.toReversed().map(({ name, index }) => [name, index]));
      return copiesFrom(stages)
        .filter(({ stage, from }) => {
          if (/^\d+$/.test(from)) return Number(from) >= stage.index;
          if (from === stage.name || /[:@/]/.test(from)) return false;
          return (first.get(from) ?? stage.index) >= stage.index;
        })
        .map(({ line, from }) => ({
          line,
          message: `there is no stage ${from} before this. Name it: FROM … AS ${from}`,
        }));
    },
  },
  {
    id: 'DL3023',
    severity: 'error',
    about: 'COPY --from is not its own stage',
    find: ({ stages }) =>
      copiesFrom(stages)
        .filter(({ stage, from }) => from === stage.name)
        .map(({ line, from }) => ({
          line,
          message: `${from} is this very stage, which is not finished. Copy from another`,
        })),
  },
  {
    id: 'DL3024',
    severity: 'error',
    about: 'names of stages are unique',
    check: 'DuplicateStageName',
    find: ({ stages }) => {
      const first = new Map(stages.toReversed().map(({ name, index }) => [name, index]));
      return stages
        .filter(({ name, index }) => name !== undefined && first.get(name) !== index)
        .map(({ name, from }) => at(`there is a stage ${name} already. Give this one another name`)(from));
    },
  },
  {
    id: 'DL3026',
    severity: 'error',
    about: 'images come from registries that are trusted',
    find: (subject) => {
      const { registries } = subject;
      if (registries === undefined) return [];
      return outer(subject)
        .filter(
          ({ from: { image } }) =>
            !image.startsWith('$') && !registries.some((name) => isRegistry(name, registryOf(image))),
        )
        .map(({ from }) => at(`${registryOf(from.image)} is not among the trusted registries`)(from));
    },
  },
  {
    id: 'DL3029',
    severity: 'warning',
    about: 'FROM --platform is not a constant',
    check: 'FromPlatformFlagConstDisallowed',
    find: ({ stages }) =>
      stages
        .filter(({ from: { platform } }) => platform !== undefined && !platform.includes('$'))
        .map(({ from }) =>
          at('the stage is for one platform only. Leave --platform out, or write --platform=$BUILDPLATFORM')(from),
        ),
  },
  {
    id: 'DL3061',
    severity: 'error',
    about: 'the Dockerfile begins with FROM, after ARGs and comments',
    find: ({ inspection }) => {
      const first = inspection.instructions.findIndex(({ kind }) => kind === 'FROM');
      return inspection.instructions
        .slice(0, first < 0 ? undefined : first)
        .filter(({ kind }) => kind !== 'ARG')
        .map((one) => at(`${one.kind} is before the first FROM. Only ARG may be there`)(one));
    },
  },
  {
    id: 'DL3063',
    severity: 'warning',
    about: 'no stage is called scratch or context',
    check: 'ReservedStageName',
    find: ({ stages }) =>
      stages
        .filter(({ name }) => name !== undefined && RESERVED.includes(name))
        .map(({ name, from }) => at(`${name} is a name with a meaning of its own. Give the stage another`)(from)),
  },
  {
    id: 'KB1002',
    severity: 'warning',
    about: 'FROM uses only variables that an ARG before it declares',
    check: 'UndefinedArgInFrom',
    find: (subject) => subject.stages.flatMap((stage) => undeclared(subject, stage)),
  },
];

/** Stages on images from elsewhere. */
function outer({ stages }: Subject): LintStage[] {
  return stages.filter(({ base, from: { image } }) => base === undefined && image !== 'scratch');
}

function tagOf(image: string): string | undefined {
  const name = image.split('@')[0]!;
  return /:([^/]+)$/.exec(name)?.[1];
}

function registryOf(image: string): string {
  const slash = image.indexOf('/');
  const first = slash < 0 ? '' : image.slice(0, slash);
  return first === 'localhost' || /[.:]/.test(first) ? first : 'docker.io';
}

/** `*.example.com` is any name below. */
function isRegistry(trusted: string, registry: string): boolean {
  return trusted.startsWith('*.') ? registry.endsWith(trusted.slice(1)) : trusted === registry;
}

function copiesFrom(
  stages: readonly LintStage[],
): { readonly stage: LintStage; readonly from: string; readonly line: number }[] {
  return stages.flatMap((stage) =>
    stage.instructions.flatMap((one) =>
      one.kind === 'COPY' && one.from !== undefined
        ? [{ stage, from: one.from.toLowerCase(), line: one.lines.start }]
        : [],
    ),
  );
}

function undeclared({ inspection }: Subject, { from }: LintStage): Remark[] {
  const first = inspection.instructions.findIndex(({ kind }) => kind === 'FROM');
  const declared = new Set([
    ...Object.keys(platformArguments({ os: '', architecture: '' }, { os: '', architecture: '' })),
    ...inspection.instructions
      .slice(0, Math.max(first, 0))
      .flatMap((one) => (one.kind === 'ARG' ? one.parameters.map(({ name }) => name) : [])),
  ]);
  const missing = new Set<string>();
  for (const word of [from.image, from.platform ?? '']) {
    // A variable with a default may be missing.
    const withoutDefaults = word.replace(/\$\{\w+:?[-+][^}]*\}/g, '');
    try {
      expandWord(withoutDefaults, {
        escape: inspection.statements.directives.escape,
        lookup: (name) => (declared.has(name) ? 'x' : undefined),
        onUse: (name) => declared.has(name) || missing.add(name),
      });
    } catch (error) {
      if (!(error instanceof SyntaxProblem)) throw error;
    }
  }
  return [...missing].map((name) => at(`no ARG before the first FROM declares ${name}. Add ARG ${name}=…`)(from));
}
