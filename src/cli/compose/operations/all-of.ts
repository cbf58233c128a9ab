/**
 * Does all of it at the same time (`limit`: so many), and waits for all even when one fails, so that nothing goes on behind the
 * caller's back. Throws the first failure.
 */
export async function allOf<T, R>(
  items: Iterable<T>,
  work: (item: T) => Promise<R>,
  limit = Number.POSITIVE_INFINITY,
): Promise<R[]> {
  const running = new Set<Promise<unknown>>();
  const results: Promise<R>[] = [];
  for (const item of items) {
    if (running.size >= limit) await Promise.race(running);
    const result = work(item);
    const ended: Promise<unknown> = result.then(
      () => running.delete(ended),
      () => running.delete(ended),
    );
    running.add(ended);
    results.push(result);
  }
  const settled = await Promise.allSettled(results);
  const failed = settled.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return settled.map((result) => (result as PromiseFulfilledResult<R>).value);
}

/** Requests about single containers that are under way at once. */
export const CONTAINERS_AT_ONCE = 50;

interface Ordered {
  readonly name: string;
  /** Names of those that come first. */
  readonly after: Iterable<string>;
}

/** Thrown for what was not begun since something before it failed. */
class Skipped extends Error {}

/**
 * Does the work of each once the work of all that it comes after is done; what does not depend on each other at the same time. After a
 * failure nothing that depends on it begins. Throws the first failure, once all has ended.
 */
export async function inDependencyOrder<T extends Ordered>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const byName = new Map(items.map((item) => [item.name, item]));
  const promises = new Map<string, Promise<void>>();
  const run = (item: T): Promise<void> => {
    const known = promises.get(item.name);
    if (known !== undefined) return known;
    const before = [...item.after].flatMap((name) => {
      const other = byName.get(name);
      return other === undefined ? [] : [run(other)];
    });
    const promise = Promise.allSettled(before).then((results) => {
      if (results.some(({ status }) => status === 'rejected')) throw new Skipped();
      return work(item);
    });
    promises.set(item.name, promise);
    return promise;
  };
  const results = await Promise.allSettled(items.map(run));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  const first = failures.find((reason) => !(reason instanceof Skipped));
  if (first !== undefined) throw first;
}

/** The same things in the opposite order: each before those that it came after. */
export function reversed<T extends Ordered>(items: readonly T[]): (T & { readonly after: readonly string[] })[] {
  return items.map((item) => ({
    ...item,
    after: items.filter(({ after }) => [...after].includes(item.name)).map(({ name }) => name),
  }));
}
