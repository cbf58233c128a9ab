import { CLASSIC_BUILDER } from '../build/routes.ts';
import { NEWEST_API, OLDEST_API } from '../server/api-version.ts';
import { authConfig, toRegistryAuth } from '../server/registry-auth.ts';
import { type Answer, type AnswerHeaders, type Call, json, type Route } from '../server/route.ts';
import { systemDataUsage } from './disk-usage.ts';
import { systemInfo } from './info.ts';
import { goArchitecture, readMachine } from './machine.ts';

/** What clients find out before they ask for anything. */
const PING: AnswerHeaders = {
  'Builder-Version': CLASSIC_BUILDER,
  Swarm: 'inactive',
  'Cache-Control': 'no-cache, no-store, must-revalidate',
  Pragma: 'no-cache',
};

async function ping(): Promise<Answer> {
  return { kind: 'text', status: 200, body: 'OK', headers: PING };
}

async function pingHead(): Promise<Answer> {
  return { kind: 'text', status: 200, body: '', headers: PING };
}

async function systemVersion({ host, api }: Call): Promise<Answer> {
  const machine = readMachine();
  const details = {
    ApiVersion: `1.${NEWEST_API}`,
    MinAPIVersion: `1.${OLDEST_API}`,
    Arch: goArchitecture(),
    KernelVersion: machine.kernel,
    Os: 'linux',
  };
  return json({
    ...(api >= 35 ? { Platform: { Name: 'Kobune' } } : {}),
    ...(api >= 35 ? { Components: [{ Name: 'Engine', Version: host.version, Details: details }] } : {}),
    Version: host.version,
    ...details,
    GitCommit: '',
    GoVersion: '',
    BuildTime: '',
  });
}

/** "Check auth configuration". */
async function systemAuth(call: Call): Promise<Answer> {
  const body = await call.json(authConfig);
  const images = await call.host.images();
  await images.login(body.serveraddress, toRegistryAuth(body) ?? {});
  return json({ Status: 'Login Succeeded', IdentityToken: '' });
}

export const systemRoutes: readonly Route[] = [
  { method: 'GET', path: '/_ping', operation: 'SystemPing', handle: ping },
  { method: 'HEAD', path: '/_ping', operation: 'SystemPingHead', handle: pingHead },
  { method: 'GET', path: '/version', operation: 'SystemVersion', handle: systemVersion },
  { method: 'GET', path: '/info', operation: 'SystemInfo', handle: systemInfo },
  { method: 'POST', path: '/auth', operation: 'SystemAuth', handle: systemAuth },
  { method: 'GET', path: '/system/df', operation: 'SystemDataUsage', handle: systemDataUsage },
];
