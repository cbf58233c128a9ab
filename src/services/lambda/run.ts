import type { Invocation, InvocationResult } from '../../functions/index.ts';
import type { RequestContext } from '../service.ts';
import { traceHeaderOf } from '../trace-header.ts';
import { conflict, recursiveInvocation } from './errors.ts';
import { settled } from './lifecycle.ts';
import { exceedsLimit, withInvocation } from './lineage.ts';
import type { FunctionName } from './names.ts';
import type { Room } from './room.ts';
import type { ResolvedTarget } from './target-cache.ts';

/** Finds what to run; waits while it is being prepared. Throws ResourceNotFoundException, ResourceConflictException. */
export async function resolveActive(room: Room, name: FunctionName): Promise<ResolvedTarget> {
  let target = await room.targets.resolve(name);
  if (target.state === 'Pending') {
    await settled(room, name, name.name);
    target = await room.targets.resolve(name);
  }
  if (target.state !== 'Active') {
    throw conflict(
      `The operation cannot be performed at this time. The function is currently in the following state: ${target.state}${target.stateReason === undefined ? '' : `. ${target.stateReason}`}`,
    );
  }
  return target;
}

/** Takes a concurrency slot for one run. Throws TooManyRequestsException. */
export async function runOnce(room: Room, target: ResolvedTarget, invocation: Invocation): Promise<InvocationResult> {
  const slot = await room.concurrency.acquire(target);
  try {
    return await room.engine.invoke(slot.spec, invocation);
  } finally {
    slot.release();
  }
}

/** The caller's trace header, or a new one. */
export function traceIdOf(room: Room, context: Pick<RequestContext, 'headers'>): string {
  return traceHeaderOf(context.headers) ?? newTraceId(room);
}

/** The trace header for a run that its caller waits for. Throws RecursiveInvocationException. */
export function countedTrace(room: Room, target: ResolvedTarget, context: Pick<RequestContext, 'headers'>): string {
  const traceId = withInvocation(traceIdOf(room, context), target.lineageId);
  refuseLoop(room, target, traceId);
  return traceId;
}

/**
 * Throws RecursiveInvocationException when the chain of requests has invoked the function as often as it may. The function's
 * own log says nothing of it, as it does not run.
 */
export function refuseLoop(room: Room, target: ResolvedTarget, traceId: string): void {
  if (target.recursiveLoop === 'Allow' || !exceedsLimit(traceId, target.lineageId)) return;
  room.logger.warn('a function that invokes itself in a loop was stopped', { function: target.invokedArn, traceId });
  throw recursiveInvocation();
}

/** Source: X-Ray Developer Guide, "Tracing header". */
export function newTraceId(room: Pick<Room, 'clock' | 'random'>): string {
  const seconds = Math.floor(room.clock.now() / 1000)
    .toString(16)
    .padStart(8, '0');
  const id = room.random.hex(40);
  return `Root=1-${seconds}-${id.slice(0, 24)};Parent=${id.slice(24)};Sampled=0`;
}
