import type { ObserveRequest, RequestObservation } from './front-end.ts';

/** Upper bounds of the latency histogram, in seconds: fine where warm invocations and small objects lie. */
const LATENCY_BOUNDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 900,
] as const;

/** A value read when the metrics are. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  /** Label sets with their values. */
  /** `gauge` unless told. */
  readonly type?: 'gauge' | 'counter';
  read(): Iterable<{ readonly labels?: Readonly<Record<string, string>>; readonly value: number }>;
}

interface Histogram {
  readonly buckets: number[];
  count: number;
  sum: number;
}

/**
 * Counts what the front door answers and writes it in Prometheus' text format.
 * Source: Prometheus documentation, "Exposition formats".
 */
export class Metrics {
  readonly #requests = new Map<string, Map<string, Map<number, number>>>();
  readonly #latency = new Map<string, Map<string, Histogram>>();
  readonly #gauges: Gauge[] = [];

  /** Counts one answered request. */
  readonly observe: ObserveRequest = (observation) => {
    this.#count(observation);
    this.#time(observation);
  };

  addGauge(gauge: Gauge): void {
    this.#gauges.push(gauge);
  }

  /** All metrics as `text/plain; version=0.0.4`. */
  render(): string {
    const lines: string[] = [];
    this.#renderRequests(lines);
    this.#renderLatency(lines);
    for (const gauge of this.#gauges) {
      lines.push(`# HELP ${gauge.name} ${gauge.help}`, `# TYPE ${gauge.name} ${gauge.type ?? 'gauge'}`);
      for (const { labels = {}, value } of gauge.read()) lines.push(`${gauge.name}${labelText(labels)} ${value}`);
    }
    return `${lines.join('\n')}\n`;
  }

  #count({ service, operation, status }: RequestObservation): void {
    const byStatus = nested(
      nested(this.#requests, service, newMap<string, Map<number, number>>),
      operation,
      newMap<number, number>,
    );
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  }

  #time({ service, operation, durationMs }: RequestObservation): void {
    const histogram = nested(nested(this.#latency, service, newMap<string, Histogram>), operation, newHistogram);
    const seconds = durationMs / 1000;
    const bucket = LATENCY_BOUNDS.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) histogram.buckets[bucket]! += 1;
    histogram.count += 1;
    histogram.sum += seconds;
  }

  #renderRequests(lines: string[]): void {
    lines.push('# HELP kobune_requests_total Requests answered.', '# TYPE kobune_requests_total counter');
    for (const [service, operations] of this.#requests)
      for (const [operation, statuses] of operations)
        for (const [status, count] of statuses)
          lines.push(`kobune_requests_total${labelText({ service, operation, status: String(status) })} ${count}`);
  }

  #renderLatency(lines: string[]): void {
    const name = 'kobune_request_duration_seconds';
    lines.push(`# HELP ${name} From a request's headers to the end of its answer.`, `# TYPE ${name} histogram`);
    for (const [service, operations] of this.#latency)
      for (const [operation, histogram] of operations) {
        let below = 0;
        for (const [index, bound] of LATENCY_BOUNDS.entries()) {
          below += histogram.buckets[index]!;
          lines.push(`${name}_bucket${labelText({ service, operation, le: String(bound) })} ${below}`);
        }
        const labels = labelText({ service, operation });
        lines.push(
          `${name}_bucket${labelText({ service, operation, le: '+Inf' })} ${histogram.count}`,
          `${name}_sum${labels} ${histogram.sum}`,
          `${name}_count${labels} ${histogram.count}`,
        );
      }
  }
}

/** Memory and CPU of this process, under the names that Prometheus' client libraries use. */
export function processGauges(): Gauge[] {
  return [
    {
      name: 'process_resident_memory_bytes',
      help: 'Resident memory size in bytes.',
      read: () => [{ value: process.memoryUsage.rss() }],
    },
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      help: 'User and system CPU time spent in seconds.',
      read: () => {
        const { user, system } = process.cpuUsage();
        return [{ value: (user + system) / 1e6 }];
      },
    },
  ];
}

function newMap<K, V>(): Map<K, V> {
  return new Map();
}

function newHistogram(): Histogram {
  return { buckets: LATENCY_BOUNDS.map(() => 0), count: 0, sum: 0 };
}

function nested<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
