import { type Answer, type Call, json } from '../server/route.ts';
import { containerJson } from './container-json.ts';

const CHANGE_KINDS = { modified: 0, added: 1, deleted: 2 } as const;

export async function containerInspect(call: Call): Promise<Answer> {
  const engine = await call.host.engine();
  const container = await engine.get(call.parameters.id!);
  const sizes = call.query.flag('size') ? await engine.sizes(container.id) : undefined;
  return json(containerJson(container, call.api, sizes));
}

export async function containerTop(call: Call): Promise<Answer> {
  const engine = await call.host.engine();
  const { titles, processes } = await engine.top(call.parameters.id!, call.query.text('ps_args') || undefined);
  return json({ Titles: titles, Processes: processes });
}

export async function containerChanges(call: Call): Promise<Answer> {
  const changes = await (await call.host.engine()).changes(call.parameters.id!);
  return json(changes.map(({ path, kind }) => ({ Path: path, Kind: CHANGE_KINDS[kind] })));
}

export async function containerExport(call: Call): Promise<Answer> {
  const source = await (await call.host.engine()).export(call.parameters.id!);
  return { kind: 'stream', status: 200, headers: { 'content-type': 'application/octet-stream' }, source };
}
