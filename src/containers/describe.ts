import type { Container } from './container.ts';
import type { LiveContainer } from './live-container.ts';

/** A container as it is told to others. */
export function describeContainer(live: LiveContainer): Container {
  const { record, files } = live;
  const { status } = record;
  return {
    id: record.id,
    name: record.name,
    spec: record.spec,
    created: record.created,
    state: {
      status: status === 'creating' ? 'created' : status,
      pid: live.run?.record.process.pid ?? 0,
      exitCode: record.exitCode,
      error: record.error,
      oomKilled: record.oomKilled,
      startedAt: record.startedAt,
      finishedAt: record.finishedAt,
      health: live.health,
      restartCount: record.restartCount,
    },
    mounts: record.mounts.map(({ point, subpath }) => (subpath ? { ...point, subpath } : point)),
    endpoints: record.endpoints,
    ports: record.ports,
    logPath: files.log,
    hostnamePath: files.hostname,
    hostsPath: files.hosts,
    resolvConfPath: files.resolvConf,
    execIds: [...live.execIds],
  };
}
