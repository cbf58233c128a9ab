import type { BuildOptions } from '../../images/index.ts';
import { readPlatform } from '../images/platform.ts';
import type { Query } from '../server/query.ts';
import { invalid, list, map, nullable, object, text, whole } from '../shapes/shape.ts';

const ulimits = list(object({ Name: text, Soft: whole, Hard: whole }));
const CPUS = 'limits of build steps are not set; the whole machine is theirs';

/** Parameters that would change the result or the running of steps and that builds do not have. */
const REFUSED = {
  memory: CPUS,
  memswap: CPUS,
  cpushares: CPUS,
  cpusetcpus: CPUS,
  cpusetmems: CPUS,
  cpuperiod: CPUS,
  cpuquota: CPUS,
  cgroupparent: 'every build step has a control group of its own',
  squash: 'an image keeps its layers; export and import a container to join them',
  securityopt: 'build steps run with the usual restrictions',
  outputs: 'results of the classic builder are images',
} as const;

export type QueryOptions = Omit<BuildOptions, 'context' | 'dockerfile' | 'auth' | 'onProgress' | 'signal'>;

/** The build options that a query holds. Source: "Build an image". */
export function readBuildOptions(query: Query): QueryOptions {
  query.refuse(REFUSED);
  if (!['', 'default'].includes(query.text('isolation')))
    throw invalid('parameter isolation is not supported: it is for Windows');
  const target = query.text('target');
  const platform = readPlatform(query.text('platform'));
  const network = readNetworkMode(query.text('networkmode'));
  const shm = query.whole('shmsize') ?? 0;
  if (shm < 0) throw invalid('SHM size can not be less than 0');
  const limits = ulimits(query.json('ulimits'), 'ulimits').map(({ Name, Soft, Hard }) => ({
    name: Name,
    soft: Soft,
    hard: Hard,
  }));
  return {
    tags: [...new Set(query.list('t').filter((tag) => tag !== ''))],
    buildArgs: readArguments(query),
    labels: map(text)(query.json('labels'), 'labels'),
    ...(target === '' ? {} : { target }),
    ...(platform === undefined ? {} : { platform }),
    noCache: query.flag('nocache'),
    pull: query.flag('pull'),
    network,
    extraHosts: extraHosts(query),
    ...(shm === 0 ? {} : { shmSizeBytes: shm }),
    ...(limits.length === 0 ? {} : { ulimits: limits }),
    cacheFrom: list(text)(query.json('cachefrom'), 'cachefrom')
      .filter((target) => target !== '')
      .map((reference) => ({ type: 'registry', target: reference })),
  };
}

/** An argument without a value is one that the client's environment does not have: then the Dockerfile's default counts. */
function readArguments(query: Query): Record<string, string> {
  const given = map(nullable(text))(query.json('buildargs'), 'buildargs');
  return Object.fromEntries(Object.entries(given).flatMap(([name, value]) => (value === null ? [] : [[name, value]])));
}

function readNetworkMode(mode: string): 'default' | 'none' | 'host' {
  if (mode === '' || mode === 'default' || mode === 'bridge') return 'default';
  if (mode === 'none' || mode === 'host') return mode;
  throw invalid(`networkmode ${JSON.stringify(mode.slice(0, 60))} is not supported: default, none and host are`);
}

/** A list in JSON, or separated by commas as dockerd writes it itself. */
function extraHosts(query: Query): string[] {
  const given = query.list('extrahosts').filter((entry) => entry !== '');
  return given.flatMap((entry) => (entry.startsWith('[') ? list(text)(parse(entry), 'extrahosts') : entry.split(',')));
}

function parse(value: string): unknown {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    throw invalid('invalid JSON in parameter extrahosts');
  }
}
