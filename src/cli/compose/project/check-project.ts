import { ComposeFileError } from '../file/place.ts';
import type { Path } from '../model/member.ts';
import { nearest } from '../model/nearest.ts';
import type { FileGrant } from '../model/service-parts.ts';
import { copyingObstacle } from './copied-files.ts';
import type { Warning } from './layer.ts';
import type { Project, ProjectService } from './project.ts';

type Checked = Omit<Project, 'warnings'>;

/** Checks what members say of each other. Throws a `ComposeFileError` for the first contradiction. */
export function checkProject(project: Checked, warn: (warning: Warning) => void): void {
  new Check(project, warn).run();
}

/** Checks only that no services, active or not, need each other in a circle. Throws a `ComposeFileError`. */
export function checkOrder(project: Checked): void {
  new Check(project, () => {}).circles();
}

class Check {
  readonly #project: Checked;
  readonly #warn: (warning: Warning) => void;

  constructor(project: Checked, warn: (warning: Warning) => void) {
    this.#project = project;
    this.#warn = warn;
  }

  run(): void {
    const { services, networks } = this.#project;
    for (const service of services.values()) {
      this.#image(service);
      this.#networks(service);
      this.#mounts(service);
      this.#files(service);
      this.#dependencies(service);
      this.#scale(service);
      this.#limits(service);
      this.#health(service);
    }
    for (const [key, { ipam }] of networks)
      for (const pool of ipam?.config ?? [])
        if (pool.subnet === undefined && (pool.gateway ?? pool.ip_range ?? pool.aux_addresses) !== undefined)
          this.#fail(['networks', key, 'ipam'], 'says something of a subnet that it does not name');
    this.#sources();
    this.#names();
    this.circles();
  }

  #fail(path: Path, message: string, hint?: string): never {
    throw new ComposeFileError(`${path.join('.')} ${message}`, { place: this.#project.places.at(path), hint });
  }

  #known(path: Path, kind: string, name: string, known: ReadonlyMap<string, unknown>): void {
    if (known.has(name)) return;
    const guess = nearest(name, [...known.keys()]);
    this.#fail(
      path,
      `names the ${kind} "${name}", which is not defined`,
      guess === undefined ? `Define it in "${kind}s" at the top of the file.` : `Did you mean "${guess}"?`,
    );
  }

  #image({ name, build, image }: ProjectService): void {
    if (build === undefined && !image) this.#fail(['services', name], 'has neither "image" nor "build": give one');
  }

  #networks(service: ProjectService): void {
    const { name, network_mode: mode, networks = new Map(), ports = [] } = service;
    const path: Path = ['services', name];
    if (mode !== undefined) {
      if (networks.size > 0) this.#fail([...path, 'network_mode'], 'excludes "networks": give one of the two');
      if (mode === 'host' && ports.length > 0)
        this.#warn({
          message: `services.${name}.ports has no effect: with network_mode host each port is the machine's own`,
          place: this.#project.places.at([...path, 'ports']),
        });
      else if (mode !== 'bridge' && ports.length > 0)
        this.#fail([...path, 'ports'], `cannot be published with network_mode ${mode}`);
    }
    for (const [key, { ipv4_address: ipv4, ipv6_address: ipv6 }] of networks) {
      this.#known([...path, 'networks'], 'network', key, this.#project.networks);
      const { ipam, external } = this.#project.networks.get(key)!;
      const subnets = (ipam?.config ?? []).flatMap(({ subnet }) => (subnet === undefined ? [] : [subnet]));
      for (const address of [ipv4, ipv6]) {
        if (address === undefined || external === true) continue;
        if (!subnets.some((subnet) => subnet.includes(':') === address.includes(':')))
          this.#fail([...path, 'networks', key], `has the address ${address}, but its network names no subnet for it`);
        if (service.replicas > 1)
          this.#fail([...path, 'networks', key], `has one address for ${service.replicas} containers`);
      }
    }
  }

  #mounts({ name, volumes = [], tmpfs = [] }: ProjectService): void {
    for (const { type, source } of volumes)
      if (type === 'volume' && source !== undefined)
        this.#known(['services', name, 'volumes'], 'volume', source, this.#project.volumes);
    for (const entry of tmpfs)
      if (!entry.startsWith('/')) this.#fail(['services', name, 'tmpfs'], `must be absolute paths, not "${entry}"`);
  }

  #files(service: ProjectService): void {
    const { name, secrets = [], configs = [], build } = service;
    for (const { source } of build?.secrets ?? [])
      this.#known(['services', name, 'build', 'secrets'], 'secret', source, this.#project.secrets);
    for (const grant of secrets) this.#grant(service, 'secret', grant);
    for (const grant of configs) this.#grant(service, 'config', grant);
  }

  /** A file can be mounted everywhere, as it is; what has none, or is to look otherwise, has to be copied. */
  #grant(service: ProjectService, kind: 'secret' | 'config', grant: FileGrant): void {
    const path: Path = ['services', service.name, `${kind}s`];
    const { source, target, uid, gid, mode } = grant;
    this.#known(path, kind, source, this.#project[`${kind}s`]);
    const { file } = this.#project[`${kind}s`].get(source)!;
    const obstacle = copyingObstacle(service, grant);
    if (obstacle === undefined) return;
    if (file === undefined)
      this.#fail(path, `cannot put "${source}" at ${target}: ${obstacle}`, `Take the ${kind} from a "file".`);
    if ((uid ?? gid ?? mode) !== undefined)
      this.#warn({
        message: `${path.join('.')}: uid, gid and mode of "${source}" have no effect: it is mounted as it is, for ${obstacle}`,
        place: this.#project.places.at(path),
      });
  }

  #dependencies({ name, dependencies, depends_on: said }: ProjectService): void {
    const { services, inactive } = this.#project;
    for (const [other, { required = true }] of dependencies) {
      if (services.has(other)) continue;
      const path: Path = ['services', name, ...(said?.has(other) ? ['depends_on'] : [])];
      const { profiles } = inactive.get(other) ?? {};
      if (profiles !== undefined) {
        if (!required) continue;
        this.#fail(path, `needs the service "${other}", which is not active`, `Activate it: --profile ${profiles[0]}`);
      }
      if (required || said?.get(other) === undefined) this.#known(path, 'service', other, services);
    }
  }

  #scale(service: ProjectService): void {
    const { name, scale, deploy, container_name: own, replicas } = service;
    const path: Path = ['services', name];
    if (scale !== undefined && deploy?.replicas !== undefined && scale !== deploy.replicas)
      this.#fail([...path, 'scale'], `is ${scale}, but deploy.replicas is ${deploy.replicas}`);
    if (own !== undefined && replicas > 1)
      this.#fail([...path, 'container_name'], `is one name for ${replicas} containers`, 'Leave it out to scale.');
  }

  #limits(service: ProjectService): void {
    const { name, deploy } = service;
    const { limits, reservations } = deploy?.resources ?? {};
    for (const [member, own, other] of [
      ['mem_limit', service.mem_limit, limits?.memory],
      ['cpus', service.cpus, limits?.cpus],
      ['pids_limit', service.pids_limit, limits?.pids],
      ['mem_reservation', service.mem_reservation, reservations?.memory],
    ] as const)
      if (own !== undefined && other !== undefined && own !== other)
        this.#fail(['services', name, member], `is ${own}, but "deploy.resources" says ${other}`);
    const memory = service.mem_limit ?? limits?.memory;
    const { memswap_limit: swap } = service;
    if (swap !== undefined && swap > 0 && (memory === undefined || memory > swap))
      this.#fail(['services', name, 'memswap_limit'], 'is for memory and swap together: give a mem_limit below it');
  }

  #health({ name, healthcheck }: ProjectService): void {
    if (healthcheck?.start_interval !== undefined && healthcheck.start_period === undefined)
      this.#fail(['services', name, 'healthcheck', 'start_interval'], 'needs a start_period, during which it counts');
  }

  /** Each secret and configuration must have one source. */
  #sources(): void {
    for (const kind of ['secrets', 'configs'] as const) {
      for (const [key, source] of this.#project[kind]) {
        const allowed =
          kind === 'secrets' ? (['file', 'environment'] as const) : (['file', 'environment', 'content'] as const);
        const given = allowed.filter((member) => source[member] !== undefined);
        if (given.length !== 1)
          this.#fail([kind, key], `needs one of ${allowed.map((word) => `"${word}"`).join(', ')}`);
      }
    }
  }

  #names(): void {
    const owners = new Map<string, string>();
    for (const { name, container_name: own } of this.#project.services.values()) {
      if (own === undefined) continue;
      const other = owners.get(own);
      if (other !== undefined) this.#fail(['services', name, 'container_name'], `"${own}" is also that of "${other}"`);
      owners.set(own, name);
    }
  }

  circles(): void {
    const services = new Map([...this.#project.services, ...this.#project.inactive]);
    const done = new Set<string>();
    const visit = (name: string, way: readonly string[]): void => {
      const at = way.indexOf(name);
      if (at >= 0) this.#fail(['services', name], `depends on itself: ${[...way.slice(at), name].join(' → ')}`);
      if (done.has(name)) return;
      for (const other of services.get(name)?.dependencies.keys() ?? []) visit(other, [...way, name]);
      done.add(name);
    };
    for (const name of services.keys()) visit(name, []);
  }
}
