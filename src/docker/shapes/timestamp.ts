import { invalid } from './shape.ts';

/** Reads a time as parameters give it: epoch seconds, with a fraction perhaps, or RFC 3339. Epoch seconds; `undefined`: none. */
export function readTimestamp(value: string, name: string): number | undefined {
  if (value === '' || value === '0') return undefined;
  if (/^-?\d{1,15}(?:\.\d+)?$/.test(value)) return Number(value);
  const parsed = /^\d{4}-\d{2}-\d{2}T/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(parsed)) throw invalid(`invalid value for ${name}: ${JSON.stringify(value.slice(0, 60))}`);
  return parsed / 1000;
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
