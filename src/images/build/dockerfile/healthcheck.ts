import { SyntaxProblem } from './dockerfile-error.ts';
import { type Flag, Flags } from './flags.ts';
import type { CommandLine, HealthcheckInstruction } from './model.ts';
import { splitFirst } from './words.ts';

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
/** Shortest time between checks that Docker takes: 1 ms. */
const SHORTEST = 1e6;

/** Reads the arguments of HEALTHCHECK. Source: "HEALTHCHECK". */
export function readHealthcheck(
  flags: readonly Flag[],
  argument: string,
  readCommand: (text: string) => CommandLine | undefined,
): HealthcheckInstruction['check'] {
  const { first, rest } = splitFirst(argument);
  if (first.toUpperCase() === 'NONE') {
    new Flags('HEALTHCHECK NONE', flags, {});
    if (rest !== '') throw new SyntaxProblem('HEALTHCHECK NONE takes no arguments');
    return 'none';
  }
  const given = new Flags('HEALTHCHECK', flags, {
    interval: 'text',
    timeout: 'text',
    'start-period': 'text',
    'start-interval': 'text',
    retries: 'text',
  });
  if (first.toUpperCase() !== 'CMD') {
    throw new SyntaxProblem(
      `HEALTHCHECK needs CMD and a command, or NONE${first === '' ? '' : `, not ${first}`}: HEALTHCHECK CMD …`,
    );
  }
  const command = readCommand(rest);
  if (command === undefined || (command.form === 'exec' && command.words.length === 0)) {
    throw new SyntaxProblem('the command after HEALTHCHECK CMD is missing');
  }
  const duration = (name: 'interval' | 'timeout' | 'start-period' | 'start-interval') => {
    const text = given.text(name);
    if (text === undefined) return undefined;
    const value = readDuration(text);
    if (value === undefined) throw new SyntaxProblem(`--${name} must be a duration such as 30s or 1m30s, not ${text}`);
    if (value !== 0 && value < SHORTEST) throw new SyntaxProblem(`--${name} must be 1ms or longer, not ${text}`);
    return value;
  };
  return {
    command,
    interval: duration('interval'),
    timeout: duration('timeout'),
    startPeriod: duration('start-period'),
    startInterval: duration('start-interval'),
    retries: readRetries(given.text('retries')),
  };
}

function readRetries(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const retries = /^\+?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(retries <= 0x7fffffff)) throw new SyntaxProblem(`--retries must be a number from 0 on, not ${text}`);
  return retries;
}

/** Nanoseconds of a duration as Go writes it (`1m30s`, `1.5h`, `0`); undefined when it is none. Source: Go's `time.ParseDuration`. */
export function readDuration(text: string): number | undefined {
  const match = /^([+-]?)((?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)$/.exec(text);
  if (match === null) return undefined;
  let total = 0;
  for (const [, number, unit] of match[2]!.matchAll(/([\d.]+)([a-zµμ]+)/g))
    total += Number(number) * NANOSECONDS[unit!]!;
  total = Math.round(total) * (match[1] === '-' ? -1 : 1);
  return Math.abs(total) < 2 ** 63 ? total : undefined;
}
