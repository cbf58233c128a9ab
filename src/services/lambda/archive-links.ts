/** Links followed for one name before it counts as a loop, as Linux does. */
const MAX_HOPS = 40;

/**
 * True when the link `name` → `target` leads to a place inside the archive, following every other link on the way.
 * A lexical check is not enough: of two links that each look harmless, one can climb through the other.
 *
 * @param name path of the link, relative to the archive's root, without `.` and `..`
 * @param links every link of the archive by its path
 */
export function resolvesInside(name: string, target: string, links: ReadonlyMap<string, string>): boolean {
  const place = name.split('/').slice(0, -1);
  const ahead = split(target);
  if (ahead === undefined) return false;
  let hops = 0;
  while (ahead.length > 0) {
    const part = ahead.shift()!;
    if (part === '..') {
      if (place.length === 0) return false;
      place.pop();
      continue;
    }
    place.push(part);
    const next = links.get(place.join('/'));
    if (next === undefined) continue;
    hops += 1;
    if (hops > MAX_HOPS) return false;
    const more = split(next);
    if (more === undefined) return false;
    place.pop();
    ahead.unshift(...more);
  }
  return true;
}

/** The steps of a relative target; `undefined` for an absolute, empty or malformed one. */
function split(target: string): string[] | undefined {
  if (target === '' || target.startsWith('/') || target.includes('\0')) return undefined;
  return target.split('/').filter((part) => part !== '' && part !== '.');
}
