import type { TimestampFormat } from '../schema/shape.ts';
import { MalformedInput } from './malformed.ts';

const dateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)$/i;
const httpDate =
  /^(?:\w{3}, \d\d? \w{3} \d{4}|\w+, \d\d-\w{3}-\d\d|\w{3} \w{3} [ \d]\d) ?\d\d:\d\d:\d\d(?:\.\d+)? ?(?:GMT|\d{4})?$/;

/** Reads text in the format that its place calls for; the other formats are understood too, as AWS does. */
export function parseTimestamp(text: string, format: TimestampFormat): Date {
  const trimmed = text.trim();
  let time = Number.NaN;
  if (/^[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(trimmed)) time = secondsToMilliseconds(Number(trimmed));
  else if (dateTime.test(trimmed)) time = Date.parse(trimmed);
  else if (httpDate.test(trimmed)) time = Date.parse(/GMT$/.test(trimmed) ? trimmed : `${trimmed} GMT`);
  return validDate(time, text, format);
}

/** Reads the number of seconds since the epoch. */
export function timestampFromSeconds(seconds: number): Date {
  return validDate(secondsToMilliseconds(seconds), String(seconds), 'epoch-seconds');
}

function secondsToMilliseconds(seconds: number): number {
  return Math.round(seconds * 1000);
}

function validDate(time: number, text: string, format: TimestampFormat): Date {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) {
    throw new MalformedInput(`'${text.slice(0, 40)}' is not a timestamp of format ${format}`);
  }
  return date;
}

/** Writes a time as text. */
export function formatTimestamp(date: Date, format: TimestampFormat): string {
  switch (format) {
    case 'date-time':
      return date.toISOString();
    case 'http-date':
      return date.toUTCString();
    case 'epoch-seconds':
      return String(timestampToSeconds(date));
  }
}

export function timestampToSeconds(date: Date): number {
  return date.getTime() / 1000;
}
