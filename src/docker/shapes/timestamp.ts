import { invalid } from './shape.ts';

/** Reads a time as parameters give it: epoch seconds, with a fraction perhaps, or RFC 3339. Epoch seconds; `undefined`: none. */
export function readTimestamp(value: string, name: string): number | undefined {
  if (value === '' || value === '0') return undefined;
  if (/^-?\d{1,15}(?:\.\d+)?$/.test(value)) return Number(value);
  const parsed = /^\d{4}-\d{2}-\d{2}T/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(parsed)) throw invalid(`invalid value for ${name}: ${JSON.stringify(value.slice(0, 60))}`);
  return parsed / 1000;
}

/** The same to the nanosecond, which is beyond what a number holds: RFC 3339 in UTC with nine digits, as lines of logs tell their time. */
export function readExactTime(value: string, name: string): string | undefined {
  const seconds = readTimestamp(value, name);
  if (seconds === undefined) return undefined;
  const [, fraction = ''] = /^(?:-?\d+|.*T[\d:]+)\.(\d+)/.exec(value) ?? [];
  const whole = new Date(Math.floor(seconds) * 1000);
  if (Number.isNaN(whole.getTime())) throw invalid(`invalid value for ${name}: ${JSON.stringify(value.slice(0, 60))}`);
  return `${whole.toISOString().slice(0, 19)}.${fraction.slice(0, 9).padEnd(9, '0')}Z`;
}

const UNITS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 60e3, h: 3600e3 };

/** A time in the past, as filters give it: as above, or how long ago (`24h`, `1h30m`). Epoch ms. */
export function readPast(value: string, now: number, name: string): number {
  const parts = [...value.matchAll(/(\d{1,12}(?:\.\d{1,9})?)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join('') === value) {
    return now - parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit!]!, 0);
  }
  const time = readTimestamp(value, name);
  if (time === undefined) throw invalid(`invalid value for ${name}: ${JSON.stringify(value.slice(0, 60))}`);
  return time * 1000;
}
