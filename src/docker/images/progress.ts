import type { TransferProgress } from '../../images/index.ts';

const BAR = 50;

/** One line of a pull's, push's or load's progress, as clients of all ages show it. */
export function progressJson({ id, status, current, total }: TransferProgress): object {
  const detail = { ...(current === undefined ? {} : { current }), ...(total === undefined ? {} : { total }) };
  const moving = current !== undefined && total !== undefined && total > 0;
  return {
    status,
    ...(id === undefined && current === undefined ? {} : { progressDetail: detail }),
    ...(moving ? { progress: `${bar(current, total)}  ${sizeText(current)}/${sizeText(total)}` } : {}),
    ...(id === undefined ? {} : { id }),
  };
}

function bar(current: number, total: number): string {
  const done = Math.min(BAR, Math.floor((current / total) * BAR));
  return `[${'='.repeat(done)}>${' '.repeat(BAR - done)}]`;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Four digits and a decimal unit: `1.234MB`. */
export function sizeText(bytes: number): string {
  let [size, unit] = [bytes, 0];
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${Number(size.toPrecision(4))}${UNITS[unit]}`;
}
