import { constants } from 'node:os';
import { ServiceError } from '../base/errors.ts';

/** Real-time signals, which Node does not list. Source: `signal(7)`. */
const RTMIN = 34;
const RTMAX = 64;

/** The number of `SIGTERM`, `TERM`, `15`, `RTMIN+3`, … Throws `InvalidContainer` for what is none. */
export function signalNumber(signal: string): number {
  const number = lookUp(signal.trim().toUpperCase());
  if (number === undefined) throw new ServiceError('InvalidContainer', `invalid signal: ${signal}`);
  return number;
}

function lookUp(signal: string): number | undefined {
  if (/^\d{1,2}$/.test(signal)) {
    const number = Number(signal);
    return number > 0 && number <= RTMAX ? number : undefined;
  }
  const name = signal.startsWith('SIG') ? signal.slice(3) : signal;
  const [, edge, sign, distance = '0'] = /^(RTMIN|RTMAX)(?:([+-])(\d{1,2}))?$/.exec(name) ?? [];
  if (edge !== undefined) {
    const number = edge === 'RTMIN' ? RTMIN + Number(distance) : RTMAX - Number(distance);
    const rightWay = sign === undefined || sign === (edge === 'RTMIN' ? '+' : '-');
    return rightWay && number >= RTMIN && number <= RTMAX ? number : undefined;
  }
  return constants.signals[`SIG${name}` as NodeJS.Signals];
}

/** `SIGKILL` for 9; `undefined` for a number that is none. */
export function signalName(number: number): string | undefined {
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return name ?? (number >= RTMIN && number <= RTMAX ? `SIGRTMIN+${number - RTMIN}` : undefined);
}
