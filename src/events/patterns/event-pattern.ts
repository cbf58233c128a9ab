import type { Branch } from './branch.ts';
import { compileBranches } from './branches.ts';
import { InvalidPatternError } from './invalid-pattern-error.ts';
import { EVENTBRIDGE_LANGUAGE, type PatternLanguage } from './leaf-pattern.ts';

/** Says which events are wanted. */
export interface EventPattern {
  /** `event`: parsed JSON. */
  matches(event: unknown): boolean;
  /** What matches one of them matches the pattern. */
  readonly branches: readonly Branch[];
}

/**
 * `eventbridge`: rules of buses. `lambda`: filters of event source mappings, which have neither `cidr` nor `wildcard`.
 * Sources: EventBridge User Guide, "Comparison operators for use in event patterns"; Lambda Developer Guide, "Control which
 * events Lambda sends to your function".
 */
export type PatternDialect = 'eventbridge' | 'lambda';

const LANGUAGES: Readonly<Record<PatternDialect, PatternLanguage>> = {
  eventbridge: EVENTBRIDGE_LANGUAGE,
  lambda: {
    ...EVENTBRIDGE_LANGUAGE,
    operators: new Set(['anything-but', 'equals-ignore-case', 'exists', 'numeric', 'prefix', 'suffix']),
  },
};

/**
 * Reads a pattern, as JSON or parsed. Throws InvalidPatternError with a message as EventBridge gives it; a second line says
 * where in the pattern the reason is.
 */
export function compileEventPattern(pattern: string | object, dialect: PatternDialect): EventPattern {
  try {
    const branches = compileBranches(parse(pattern), LANGUAGES[dialect]);
    return { matches: (event) => branches.some((branch) => branch.matches(event)), branches };
  } catch (error) {
    if (!(error instanceof InvalidPatternError)) throw error;
    throw new InvalidPatternError(`Event pattern is not valid. Reason: ${error.message}`);
  }
}

function parse(pattern: string | object): unknown {
  if (typeof pattern !== 'string') return pattern;
  try {
    return JSON.parse(pattern) as unknown;
  } catch (error) {
    throw new InvalidPatternError(`Filter is not valid JSON: ${(error as Error).message}`);
  }
}
