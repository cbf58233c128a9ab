import { ServiceError } from '../../base/errors.ts';
import type { Container, TerminalSize, WaitCondition } from '../../containers/index.ts';
import { checkPlatform } from '../images/platform.ts';
import { readBounded } from '../server/request-body.ts';
import { type Answer, type Call, empty, json } from '../server/route.ts';
import { readFilters } from '../shapes/filters.ts';
import { invalid, saysNothing } from '../shapes/shape.ts';
import { readPast } from '../shapes/timestamp.ts';
import { createBody, updateBody } from './config-shape.ts';
import { toContainerSpec } from './container-spec.ts';
import { readChanges } from './resources.ts';

const CONTAINER_NAME = /^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** What a container without a body may be started with: older clients send an empty object. */
const SMALL_BODY = 1024;

const conflict = (message: string): ServiceError => new ServiceError('Conflict', message, { status: 409 });

export async function containerCreate(call: Call): Promise<Answer> {
  const { host, query, api } = call;
  const body = await call.json(createBody);
  const name = query.text('name');
  if (name !== '' && !CONTAINER_NAME.test(name)) {
    throw invalid(`Invalid container name (${name.slice(0, 100)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  if (body.Image === '') throw invalid('invalid reference format: an image must be named');
  const [engine, image] = await Promise.all([host.engine(), host.images().then((images) => images.get(body.Image))]);
  checkPlatform(query.text('platform'), body.Image, image.config);
  const { container, warnings } = await engine.create(toContainerSpec(body, { name, image, api }));
  const discarded =
    body.HostConfig.NetworkMode === 'host' && Object.keys(body.HostConfig.PortBindings ?? {}).length > 0
      ? ['Published ports are discarded when using host network mode']
      : [];
  return json({ Id: container.id, Warnings: [...warnings, ...discarded] }, 201);
}

export async function containerStart(call: Call): Promise<Answer> {
  await refuseBody(call);
  call.query.refuse({ checkpoint: NO_CHECKPOINTS, 'checkpoint-dir': NO_CHECKPOINTS });
  const engine = await call.host.engine();
  await engine.startContainer(call.parameters.id!);
  return empty();
}

export const NO_CHECKPOINTS = 'containers cannot be checkpointed';

/** A start changes nothing of a container since 1.24. Source: "Engine API version history", v1.24. */
async function refuseBody(call: Call): Promise<void> {
  const body = (await readBounded(call.request, SMALL_BODY)).toString('utf8').trim();
  if (body === '') return;
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw invalid('invalid JSON');
  }
  if (!saysNothing(value)) {
    throw invalid('starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24');
  }
}

export async function containerStop(call: Call): Promise<Answer> {
  const engine = await call.host.engine();
  const container = await engine.get(call.parameters.id!);
  if (!isAlive(container)) return empty(304);
  await engine.stop(container.id, stopOptions(call));
  return empty();
}

export async function containerRestart(call: Call): Promise<Answer> {
  const engine = await call.host.engine();
  await engine.restart(call.parameters.id!, stopOptions(call));
  return empty();
}

function stopOptions({ query, api }: Call): { readonly timeoutSeconds?: number; readonly signal?: string } {
  const timeoutSeconds = query.whole('t');
  const signal = api >= 42 ? query.text('signal') : '';
  return {
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    ...(signal === '' ? {} : { signal: readSignal(signal) }),
  };
}

function isAlive({ state: { status } }: Container): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting';
}

export async function containerKill(call: Call): Promise<Answer> {
  const engine = await call.host.engine();
  await engine.kill(call.parameters.id!, readSignal(call.query.text('signal') || 'SIGKILL'));
  return empty();
}

/** `HUP`, `sighup` and `1` are the same; which there are, the engine knows. */
export function readSignal(written: string): string {
  const upper = written.toUpperCase();
  if (!/^[A-Z0-9+-]{1,20}$/.test(upper)) throw invalid(`Invalid signal: ${written.slice(0, 40)}`);
  return /^\d+$/.test(upper) || upper.startsWith('SIG') ? upper : `SIG${upper}`;
}

export async function containerPause(call: Call): Promise<Answer> {
  await (await call.host.engine()).pause(call.parameters.id!);
  return empty();
}

export async function containerUnpause(call: Call): Promise<Answer> {
  await (await call.host.engine()).unpause(call.parameters.id!);
  return empty();
}

export async function containerRename(call: Call): Promise<Answer> {
  const name = call.query.text('name');
  if (name === '' || name === '/') throw invalid('Neither old nor new names may be empty');
  if (!CONTAINER_NAME.test(name)) {
    throw invalid(`Invalid container name (${name.slice(0, 100)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  await (await call.host.engine()).rename(call.parameters.id!, name.replace(/^\//, ''));
  return empty();
}

export async function containerUpdate(call: Call): Promise<Answer> {
  const body = await call.json(updateBody);
  const engine = await call.host.engine();
  const container = await engine.get(call.parameters.id!);
  const changes = readChanges(body, container.spec.resources);
  if (changes.restart !== undefined && changes.restart.name !== 'no' && container.spec.autoRemove) {
    throw conflict('Restart policy cannot be updated because AutoRemove is enabled for the container');
  }
  const warnings = await engine.update(container.id, changes);
  return json({ Warnings: warnings.length > 0 ? warnings : null });
}

export async function containerResize(call: Call): Promise<Answer> {
  const engine = await call.host.engine();
  await engine.resize(call.parameters.id!, readSize(call));
  return empty(200);
}

export function readSize({ query }: Call): TerminalSize {
  const [rows, columns] = [query.whole('h'), query.whole('w')];
  if (rows === undefined || columns === undefined || rows < 0 || columns < 0 || rows > 65_535 || columns > 65_535) {
    throw invalid('invalid resize height/width: h and w must be whole numbers up to 65535');
  }
  return { rows, columns };
}

export async function containerDelete(call: Call): Promise<Answer> {
  const { query } = call;
  query.refuse({ link: 'links are part of the containers that have them' });
  const engine = await call.host.engine();
  await engine.remove(call.parameters.id!, { force: query.flag('force'), volumes: query.flag('v') });
  return empty();
}

const CONDITIONS = new Set<string>(['not-running', 'next-exit', 'removed']);

/** Headers go out at once: clients start the container only when they know that its end will be seen. */
export async function containerWait(call: Call): Promise<Answer> {
  const condition = call.api < 30 ? '' : call.query.text('condition');
  if (condition !== '' && !CONDITIONS.has(condition)) throw invalid(`invalid condition: "${condition.slice(0, 40)}"`);
  const engine = await call.host.engine();
  const { id } = await engine.get(call.parameters.id!);
  const waited = engine.wait(id, (condition || 'not-running') as WaitCondition, call.ending);
  // Whoever reads the answer sees the failure; until then it must not count as unhandled.
  waited.catch(() => {});
  async function* body(): AsyncGenerator<string> {
    const { exitCode, error } = await waited;
    yield `${JSON.stringify({ StatusCode: exitCode, ...(error === '' ? {} : { Error: { Message: error } }) })}\n`;
  }
  return { kind: 'stream', status: 200, headers: { 'content-type': 'application/json' }, source: body() };
}

export async function containerPrune(call: Call): Promise<Answer> {
  const { host, query } = call;
  const filters = readFilters(query, ['label', 'label!', 'until']);
  const limits = filters.get('until').map((value) => readPast(value, Date.now(), 'filter until'));
  const engine = await host.engine();
  const { ids, bytes } = await engine.pruneContainers(
    ({ spec, created }) => filters.matchLabels(spec.labels) && limits.every((limit) => created < limit),
  );
  return json({ ContainersDeleted: ids.length > 0 ? ids : null, SpaceReclaimed: bytes });
}
