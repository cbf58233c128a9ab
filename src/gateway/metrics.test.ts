import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Metrics, processGauges } from './metrics.ts';

describe('metrics for Prometheus', () => {
  it('count requests by service, operation and status', () => {
    const metrics = new Metrics();
    for (const status of [200, 200, 404])
      metrics.observe({ service: 's3', operation: 'GetObject', status, durationMs: 1 });
    const text = metrics.render();
    assert.match(text, /^kobune_requests_total\{service="s3",operation="GetObject",status="200"\} 2$/m);
    assert.match(text, /^kobune_requests_total\{service="s3",operation="GetObject",status="404"\} 1$/m);
  });

  it('put latencies into cumulative buckets, the slowest only into +Inf', () => {
    const metrics = new Metrics();
    for (const durationMs of [0.4, 3, 2_000_000]) {
      metrics.observe({ service: 'sts', operation: 'GetCallerIdentity', status: 200, durationMs });
    }
    const bucket = (le: string) =>
      new RegExp(`_bucket\\{service="sts",operation="GetCallerIdentity",le="${le}"\\} (\\d+)`).exec(
        metrics.render(),
      )?.[1];
    assert.deepEqual(['0.0005', '0.001', '0.005', '900', '\\+Inf'].map(bucket), ['1', '1', '2', '2', '3']);
    assert.match(metrics.render(), /_sum\{service="sts",operation="GetCallerIdentity"\} 2000\.0034$/m);
  });

  it('read gauges when asked, with labels escaped', () => {
    const metrics = new Metrics();
    let value = 1;
    metrics.addGauge({ name: 'depth', help: 'Depth.', read: () => [{ labels: { name: 'a"b\\c\nd' }, value }] });
    value = 2;
    assert.match(metrics.render(), /^depth\{name="a\\"b\\\\c\\nd"\} 2$/m);
  });

  it('tell the memory and CPU time of the process', () => {
    const [memory, cpu] = processGauges();
    assert.ok([...memory!.read()][0]!.value > 10_000_000);
    assert.ok([...cpu!.read()][0]!.value > 0);
  });
});
