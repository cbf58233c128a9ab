import { labels } from './key-values.ts';
import { list, type Member, noted, object, refused, replaced, warned } from './member.ts';
import { bytes, choice, decimal, duration, integer, scalarText, text, texts } from './values.ts';

/** How many of a service run, and with what (https://docs.docker.com/reference/compose-file/deploy/). */
export interface Deploy {
  readonly mode?: 'replicated' | 'global';
  readonly endpoint_mode?: string;
  readonly replicas?: number;
  readonly labels?: ReadonlyMap<string, string>;
  readonly resources?: { readonly limits?: Limits; readonly reservations?: Reservations };
  readonly restart_policy?: DeployRestartPolicy;
  readonly update_config?: UpdateConfig;
  readonly rollback_config?: UpdateConfig;
  readonly placement?: Placement;
}

interface Limits {
  readonly cpus?: number;
  readonly memory?: number;
  readonly pids?: number;
}

interface Reservations {
  readonly cpus?: number;
  readonly memory?: number;
}

export interface DeployRestartPolicy {
  readonly condition?: 'none' | 'on-failure' | 'any';
  readonly delay?: string;
  readonly max_attempts?: number;
  readonly window?: string;
}

interface UpdateConfig {
  readonly parallelism?: number;
  readonly delay?: string;
  readonly failure_action?: string;
  readonly monitor?: string;
  readonly max_failure_ratio?: number;
  readonly order?: string;
}

interface Placement {
  readonly constraints?: readonly string[];
  readonly preferences?: readonly { readonly spread?: string }[];
  readonly max_replicas_per_node?: number;
}

const ONLY_SWARM = 'only a Swarm acts on it';

const updateConfig: Member<UpdateConfig> = object<UpdateConfig>({
  parallelism: integer({ least: 0 }),
  delay: duration(),
  failure_action: choice('continue', 'rollback', 'pause'),
  monitor: duration(),
  max_failure_ratio: decimal({ least: 0, greatest: 1 }),
  order: choice('stop-first', 'start-first'),
});

export const deploy: Member<Deploy> = object<Deploy>({
  mode: noted(
    replaced((cursor) => {
      const value = scalarText(cursor);
      if (value === 'replicated' || value === 'global') return value;
      if (value === 'replicated-job' || value === 'global-job')
        return cursor.fail(`"${value}" is not supported: ${ONLY_SWARM}`);
      return cursor.fail(`must be replicated or global, not "${value}"`);
    }),
    '`replicated` or `global`, which is the same on one machine',
  ),
  endpoint_mode: warned(
    choice('vip', 'dnsrr'),
    "a service's name leads to the addresses of all its containers, in turn",
  ),
  replicas: integer({ least: 0, greatest: 1000 }),
  labels: warned(labels(), "they are for a Swarm's services; a container's are the service's own labels"),
  resources: object<NonNullable<Deploy['resources']>>({
    limits: object<Limits>({ cpus: decimal({ least: 0 }), memory: bytes(), pids: integer({ least: -1 }) }),
    reservations: object<Reservations>(
      { cpus: warned(decimal({ least: 0 }), ONLY_SWARM), memory: bytes() },
      {
        others: {
          devices: refused('containers get no graphics processors; see "devices" of the service'),
          generic_resources: refused(ONLY_SWARM),
        },
      },
    ),
  }),
  restart_policy: object<DeployRestartPolicy>({
    condition: choice('none', 'on-failure', 'any'),
    delay: warned(duration(), 'the wait between restarts doubles from 100 ms'),
    max_attempts: integer({ least: 0 }),
    window: warned(duration(), 'a container that ran for 10 s has started well'),
  }),
  update_config: warned(updateConfig, ONLY_SWARM),
  rollback_config: warned(updateConfig, ONLY_SWARM),
  placement: warned(
    object<Placement>({
      constraints: texts(),
      preferences: list(object<{ spread?: string }>({ spread: text() })),
      max_replicas_per_node: integer({ least: 0 }),
    }),
    'there is one machine',
  ),
});
