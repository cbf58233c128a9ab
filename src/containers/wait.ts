import type { WaitCondition } from './engine.ts';
import type { ContainerEnd, LiveContainer } from './live-container.ts';

/** Resolves when the condition is met. Listens from the moment that it is called. */
export function waitFor(
  container: LiveContainer,
  condition: WaitCondition,
  signal?: AbortSignal,
): Promise<ContainerEnd> {
  const { status, exitCode, error } = container.record;
  const runs = container.running || status === 'restarting';
  if (condition === 'not-running' && !runs) return Promise.resolve({ exitCode, error });
  return new Promise((resolve, reject) => {
    const settle = (end: ContainerEnd) => {
      stop();
      signal?.removeEventListener('abort', aborted);
      resolve(end);
    };
    const aborted = () => {
      stop();
      reject(signal?.reason);
    };
    const stop = container.listen({
      ended: (end, final) => {
        if (condition === 'next-exit' || (condition === 'not-running' && final)) settle(end);
      },
      // Without a run before, this is the last that can be waited for.
      removed: settle,
    });
    if (signal?.aborted) aborted();
    else signal?.addEventListener('abort', aborted, { once: true });
  });
}
